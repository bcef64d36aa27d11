"""A reconciliation file as a warehouse delivers it: believed whole or refused with the reason, never in part.

The dialect is declared, not guessed: a guessed decimal mark or encoding is how a stock file books a thousandfold. A file says
whose goods it shows, of which instant, and how many rows it has; its last line repeats that number, so that a file cut at any
byte is noticed. What it does not show is unknown, and never zero.

As CSV (a spreadsheet has the same cells on its first sheet):

    #goods-owner;77
    #cut;2026-11-25T22:00:00+01:00
    #rows;2
    article;quantity
    KRUKA-12;140
    KRUKA-20;0
    #end;2

As JSON: `{"goodsOwner": 77, "cut": "...", "rows": 2, "complete": true, "articles": [{"article": "...", "quantity": 140}]}`.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from domain.errors import Refused

FORMATS = ("csv", "xlsx", "json")
ENCODINGS = ("utf-8", "cp1252", "iso-8859-1", "utf-16")
LARGEST_FILE = 256 * 1024 * 1024
LONGEST_LINE = 10_000
FUTURE = timedelta(minutes=5)

_UNREADABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")
_MARKS = {"utf-8": b"\xef\xbb\xbf", "utf-16": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the warehouse has said that its files are like."""

    format: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ";"
    decimal_mark: str = "."
    article_column: str = "article"
    quantity_column: str = "quantity"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Dialect":
        """A dialect from the merchant's settings; an unusable one is refused with what is wrong."""
        known = [f.name for f in fields(cls)]
        for name, value in document.items():
            if name not in known or not isinstance(value, str):
                raise Refused(
                    "settings-wrong", f"stock_file_dialect: {name} is {value!r}; texts are known for {', '.join(known)}"
                )
        dialect = cls(**document)
        for name, is_, allowed in (
            ("format", dialect.format, FORMATS),
            ("encoding", dialect.encoding, ENCODINGS),
            ("decimal_mark", dialect.decimal_mark, (".", ",")),
            ("delimiter", dialect.delimiter, (";", ",", "\t", "|")),
        ):
            if is_ not in allowed:
                raise Refused(
                    "settings-wrong", f"stock_file_dialect: {name} is {is_!r}, not one of {', '.join(map(repr, allowed))}"
                )
        if dialect.format == "csv" and dialect.delimiter == dialect.decimal_mark:
            raise Refused("settings-wrong", "stock_file_dialect: delimiter and decimal_mark are both a comma")
        return dialect


@dataclass(frozen=True, slots=True)
class Awaited:
    """What a file must be to be of use: whose goods, how old at most, and from after which cut."""

    goods_owner: int
    now: datetime
    oldest: timedelta = timedelta(hours=36)
    newest_cut: datetime | None = None


@dataclass(frozen=True, slots=True)
class StockFile:
    """A file that is believed. `content_hash` is of what it says, so a copy, renamed or with other line ends, is the same."""

    cut: datetime
    quantities: dict[str, Decimal]
    content_hash: str
    older_than_newest: bool = False


def no(reason: str) -> Refused:
    """A refusal of a file. It quotes what a stranger wrote, and so is made fit to be kept and shown."""
    return Refused("stock-file-refused", "".join(sign if sign.isprintable() else "?" for sign in reason))


def read_text_file(data: bytes, dialect: Dialect, awaited: Awaited) -> StockFile:
    """A CSV or JSON file, or a refusal. A spreadsheet's cells go to `read_table`."""
    if len(data) > LARGEST_FILE:
        raise no(f"{len(data)} bytes: more than {LARGEST_FILE}")
    words = _decoded(data, dialect)
    if dialect.format == "json":
        return _from_json(words, awaited)
    return read_table(_csv_cells(words, dialect), dialect, awaited)


def _decoded(data: bytes, dialect: Dialect) -> str:
    if not data:
        raise no("the file is empty")
    for name, mark in _MARKS.items():
        if data.startswith(mark) and name not in (dialect.encoding, f"{dialect.encoding}-be"):
            raise no(f"the file begins with the mark of {name}, declared is {dialect.encoding}")
    if dialect.encoding == "utf-16" and data[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise no("the file has no mark of utf-16, which is declared")
    try:
        words = data.decode("utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding)
    except UnicodeDecodeError as error:
        raise no(f"byte {error.start} is not {dialect.encoding}, which is declared") from None
    if dialect.encoding in ("cp1252", "iso-8859-1") and _is_utf8(data):
        raise no(f"the file is utf-8, declared is {dialect.encoding}")
    if found := re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd]", words):
        raise no(f"there is a control character (number {ord(found.group())}) at place {found.start()}")
    return words


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _csv_cells(words: str, dialect: Dialect) -> list[list[str]]:
    if any(len(line) > LONGEST_LINE for line in words.splitlines()):
        raise no(f"a line is longer than {LONGEST_LINE} characters")
    try:
        return list(csv.reader(io.StringIO(words, newline=""), delimiter=dialect.delimiter, strict=True))
    except csv.Error as error:
        raise no(f"not CSV as declared: {error}") from None


def read_table(table: Sequence[Sequence[str]], dialect: Dialect, awaited: Awaited) -> StockFile:
    """The cells of a file, row by row, or a refusal."""
    rows = [[cell.strip() for cell in row] for row in table]
    rows = [row for row in rows if any(row)]
    heads: dict[str, str] = {}
    for number, row in enumerate(rows):
        if not row[0].startswith("#"):
            body = rows[number:]
            break
        name, value = row[0][1:].strip().lower(), (row[1] if len(row) > 1 else "")
        if name in heads or name == "end":
            raise no(f"#{name} stands twice before the rows" if name in heads else "#end stands before the rows")
        heads[name] = value
    else:
        raise no("there are no rows: the file is cut, or it is not a reconciliation file")
    columns = [cell.lower() for cell in body[0]]
    for name in (dialect.article_column, dialect.quantity_column):
        if columns.count(name.lower()) != 1:
            raise no(f"the column {name} is not there once; columns are {', '.join(body[0][:20])}")
    article_at, quantity_at = columns.index(dialect.article_column.lower()), columns.index(dialect.quantity_column.lower())
    if len(body) < 2 or not body[-1][0].startswith("#"):
        raise no("the last line is not #end: the file is cut")
    ends = [cell for cell in body[-1] if cell]
    count = str(len(body) - 2)
    if ends != ["#end", count]:
        raise no(f"the last line is {' '.join(ends)[:40]}, and not #end with {count} rows: the file is cut or changed")
    if heads.get("rows", count) != count:
        raise no(f"the file says it has {heads['rows'][:20]} rows, and has {count}")
    wanted = []
    for number, row in enumerate(body[1:-1], start=1):
        if len(row) < len(columns) or any(row[len(columns) :]):
            raise no(f"row {number} has {len(row)} cells, and the head has {len(columns)}")
        wanted.append((row[article_at], _quantity(row[quantity_at], dialect.decimal_mark, number)))
    return _believed(heads.get("goods-owner", ""), heads.get("cut", ""), wanted, awaited)


def _quantity(words: str, mark: str, number: int) -> Decimal:
    if not re.fullmatch(rf"[0-9]{{1,10}}({re.escape(mark)}[0-9]{{1,4}})?", words):
        raise no(f"row {number}: the quantity {words[:30]!r} is not written as declared (digits, decimal mark {mark!r})")
    return Decimal(words.replace(",", "."))


def _from_json(words: str, awaited: Awaited) -> StockFile:
    try:
        data = json.loads(words, parse_float=Decimal, parse_int=Decimal, parse_constant=_never, object_pairs_hook=_once)
    except RecursionError:
        raise no("not JSON of a stock file: it is nested too deep") from None
    except (ValueError, ArithmeticError) as error:
        raise no(f"not JSON, or cut: {str(error) or 'a number without measure'}") from None
    if not isinstance(data, dict) or not isinstance(data.get("articles"), list):
        raise no("there is no list of articles")
    if data.get("complete") is not True:
        raise no("the file does not say that it is complete")
    rows = data["articles"]
    if data.get("rows") != len(rows):
        raise no(f"the file says it has {data.get('rows')} rows, and has {len(rows)}")
    wanted = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict) or not isinstance(row.get("article"), str):
            raise no(f"row {number} has no article")
        quantity = row.get("quantity")
        if not isinstance(quantity, Decimal) or not 0 <= quantity < 10**10 or quantity != round(quantity, 4):
            raise no(f"row {number}: the quantity {str(quantity)[:30]} is not a number of pieces")
        wanted.append((row["article"], abs(round(quantity, 4))))
    return _believed(str(data.get("goodsOwner", "")), str(data.get("cut", "")), wanted, awaited)


def _never(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return dict(pairs)


def _believed(goods_owner: str, cut: str, rows: Iterable[tuple[str, Decimal]], awaited: Awaited) -> StockFile:
    if goods_owner != str(awaited.goods_owner):
        raise no(f"it shows the goods of owner {goods_owner[:20] or 'nobody'}, and not of {awaited.goods_owner}")
    try:
        at = datetime.fromisoformat(cut)
    except ValueError:
        raise no(f"its cut {cut[:40]!r} is not an instant") from None
    if at.tzinfo is None:
        raise no(f"its cut {cut[:40]} has no time zone")
    if at > awaited.now + FUTURE:
        raise no(f"its cut {cut[:40]} is in the future")
    if awaited.now - at > awaited.oldest:
        raise no(f"its cut {cut[:40]} is older than {awaited.oldest.total_seconds() / 3600:g} hours")
    quantities: dict[str, Decimal] = {}
    for article, quantity in rows:
        if not article or len(article) > 50:
            raise no(f"an article number is empty or too long: {article[:60]!r}")
        if _UNREADABLE.search(article):
            raise no(f"an article number holds a sign that is none: {article!r}")
        if article in quantities:
            raise no(f"article {article} stands twice")
        quantities[article] = quantity
    if not quantities:
        raise no("it shows no article")
    return StockFile(
        at,
        quantities,
        _hash(goods_owner, at, quantities),
        awaited.newest_cut is not None and at < awaited.newest_cut,
    )


def _hash(goods_owner: str, at: datetime, quantities: Mapping[str, Decimal]) -> str:
    digest = hashlib.sha256(f"{goods_owner}|{at.timestamp():.6f}".encode())
    for article in sorted(quantities):
        digest.update(f"\n{article}|{quantities[article].normalize():f}".encode())
    return digest.hexdigest()


def number_cell(words: str, mark: str) -> str:
    """A spreadsheet's number as a cell of a file in this dialect; a number with an exponent stays what it is, and is refused."""
    try:
        plain = f"{Decimal(words):f}"
    except InvalidOperation:
        return words
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain).replace(".", mark)
