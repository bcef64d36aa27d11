"""Keys: what is sealed opens only as what it was sealed for, and old keys open for as long as they are kept."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.keyring import KeyRing, KeyRingError

RING = KeyRing.new()


@given(st.text(), st.text(max_size=40), st.text(max_size=40))
def test_a_credential_opens_as_what_was_sealed(plaintext: str, merchant: str, purpose: str) -> None:
    assert RING.open(merchant, purpose, RING.seal(merchant, purpose, plaintext)) == plaintext


@given(st.data())
def test_no_bit_of_a_sealed_credential_can_be_changed(data: st.DataObject) -> None:
    sealed = bytearray(RING.seal("demo", "fortnox", "canary"))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8
    with pytest.raises(KeyRingError):
        RING.open("demo", "fortnox", bytes(sealed))


@given(st.binary(max_size=80))
def test_whatever_stands_in_the_column_is_refused_in_words(garbage: bytes) -> None:
    with pytest.raises(KeyRingError, match="the credential fortnox of merchant demo"):
        RING.open("demo", "fortnox", garbage)


def test_a_credential_of_one_merchant_or_purpose_is_not_anothers() -> None:
    sealed = RING.seal("demo", "fortnox", "canary")
    for merchant, purpose in (("other", "fortnox"), ("demo", "ongoing"), ("demof", "ortnox"), ("", "demofortnox")):
        with pytest.raises(KeyRingError, match="for another purpose"):
            RING.open(merchant, purpose, sealed)


def test_the_same_credential_never_looks_the_same() -> None:
    assert len({RING.seal("demo", "fortnox", "canary") for _ in range(500)}) == 500


def test_after_a_rotation_the_old_opens_and_the_new_key_seals() -> None:
    rotated = RING.rotate()
    old, new = RING.seal("demo", "x", "before"), rotated.seal("demo", "x", "after")
    assert (rotated.open("demo", "x", old), rotated.open("demo", "x", new)) == ("before", "after")
    assert (RING.current, rotated.current, rotated.key_ids) == ("k1", "k2", ["k1", "k2"])


def test_a_key_that_was_added_opens_before_it_seals() -> None:
    added = RING.add()
    assert (added.current, added.key_ids) == ("k1", ["k1", "k2"])
    assert added.open("demo", "x", added.use("k2").seal("demo", "x", "early")) == "early"


def test_a_missing_key_is_named_with_the_remedy_and_nothing_else() -> None:
    with pytest.raises(KeyRingError) as why:
        RING.open("demo", "fortnox", RING.rotate().seal("demo", "fortnox", "canary"))
    assert "key k2, which is not in the ring: add it to LAGERBRO_KEYS again" in str(why.value)
    assert "canary" not in str(why.value)


def test_a_ring_reads_back_as_it_was_written() -> None:
    rotated = RING.rotate().rotate()
    assert KeyRing.parse(rotated.dump()) == rotated


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not a key ring"),
        ("[]", "is not a key ring"),
        ('{"current": "k1"}', "is not a key ring"),
        ('{"current": "k1", "keys": {"k1": "canary!"}}', "is not base64"),
        (json.dumps({"current": "k1", "keys": {"k1": base64.b64encode(b"canary").decode()}}), "k1 has 6 bytes; AES-256 needs 32"),
        (json.dumps({"current": "k2", "keys": {"k1": base64.b64encode(bytes(32)).decode()}}), "'k2' is not in the ring"),
        (json.dumps({"current": "a b", "keys": {"a b": base64.b64encode(bytes(32)).decode()}}), "a key id has 1 to 32"),
    ],
)
def test_a_ring_that_cannot_be_used_says_why_without_showing_a_key(text: str, says: str) -> None:
    with pytest.raises(KeyRingError, match=says) as why:
        KeyRing.parse(text)
    assert "canary" not in str(why.value)


def test_a_ring_never_shows_its_keys() -> None:
    key = json.loads(RING.dump())["keys"]["k1"]
    assert key not in repr(RING)
    assert base64.b64decode(key).hex() not in repr(RING)
