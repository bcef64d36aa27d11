"""One article of the warehouse against ours: the quick comparison says what the figures summed up would say."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from activities.warehouse_stock import figures_of, plainly_equal
from clients.ongoing import ArticleInventory

D = Decimal
figure = st.sampled_from([None, 0, 1, 5, "5.0"])
UNREPORTED = [f"{what}ToBeReportedNumberOfItems" for what in ("picked", "received", "returned")]
FIGURES = ["numberOfItems", "numberOfLockedItems", "allocatedNumberOfItems", "sellableNumberOfItems"]


def row(**changed: Any) -> dict[str, Any]:
    calm = dict.fromkeys(UNREPORTED, 0)
    shown = {"numberOfItems": 5, "numberOfLockedItems": 1, "allocatedNumberOfItems": 1, "sellableNumberOfItems": 5}
    return {"warehouseId": 1, "reported": calm} | shown | changed


def article(*rows: dict[str, Any]) -> ArticleInventory:
    said = {"articleSystemId": 7, "articleNumber": "A", "inventoryPerWarehouse": list(rows)}
    return ArticleInventory.model_validate(said)


# Nearly equal rows: what differs is one figure or two, or one that is not shown.
block = st.none() | st.dictionaries(st.sampled_from(UNREPORTED), figure, max_size=1).map(dict.fromkeys(UNREPORTED, 0).__or__)
changes = st.tuples(
    st.dictionaries(st.sampled_from(FIGURES), figure, max_size=2),
    st.fixed_dictionaries({}, optional={"warehouseId": st.just(2), "reported": block}),
)
warehouse = changes.map(lambda changed: row(**changed[0], **changed[1]))


@given(
    st.lists(warehouse, min_size=1, max_size=2) | st.just([]),
    st.sampled_from(["A", "A", "B"]),
    st.sampled_from([D("5.0000"), D(0)]),
    st.sampled_from([D(0), D(0), D(4)]),
    st.sampled_from([(), (1,), (1, 2)]),
    st.booleans(),
    st.booleans(),
)
def test_the_quick_comparison_agrees_with_the_figures_summed_up(
    rows: list[dict[str, Any]], number: str, ours: Decimal, reserved: Decimal, ids: tuple[int, ...], both: bool, trusted: bool
) -> None:
    shown = article(*rows)
    summed = figures_of(shown, ids)
    asked = (number, ours, reserved, ids, both, trusted)
    assert plainly_equal(shown, *asked) == plainly_equal(summed, *asked)


def test_equal_is_only_what_is_shown_calm_and_of_the_same_name() -> None:
    def equal(shown: ArticleInventory, reserved: int = 0) -> bool:
        return plainly_equal(shown, "A", D(5), D(reserved), (1,), True, True)

    assert equal(article(row()))
    assert equal(article(row(sellableNumberOfItems=3)), 2)
    for changed in (
        {"numberOfItems": 4},
        {"numberOfItems": None},
        {"sellableNumberOfItems": 4},
        {"numberOfLockedItems": 2},
        {"reported": None},
        {"reported": dict.fromkeys(UNREPORTED, 0) | {"pickedToBeReportedNumberOfItems": 1}},
        {"reported": dict.fromkeys(UNREPORTED, 0) | {"returnedToBeReportedNumberOfItems": None}},
        {"warehouseId": 2},
    ):
        assert not equal(article(row(**changed))), changed
    assert not plainly_equal(article(row()), "B", D(5), D(0), (1,), True, True)
