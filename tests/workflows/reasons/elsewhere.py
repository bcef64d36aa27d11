"""Reasons that a test of their own brings a process, or whoever was refused, into and out of.

Three of them no process can stand still for. A posting rule can be missing, and a preview outdated, only where a person books a
revaluation: every other event has a rule that is built in, or a reason of its own. Their tests type the command that is refused,
do what the remedy says, and type it again. While supplier invoices are off none is read, and a purchase waits for its invoice as
it always does: the test shows that it goes on once they are on; `run-now` is what is refused meanwhile.
"""

from tests.workflows.reasons.world import Elsewhere

REFUSALS = Elsewhere(
    "tests/workflows/test_fortnox_refusals.py::test_an_order_goes_into_a_refusal_and_out_of_it_by_the_stated_remedy"
)
ELSEWHERE = {
    "account-missing": REFUSALS,
    "currency-missing": REFUSALS,
    "terms-missing": REFUSALS,
    "vat-not-registered": REFUSALS,
    "vat-number-refused": REFUSALS,
    "fortnox-warehouse-on": REFUSALS,
    "period-locked": Elsewhere(
        "tests/workflows/test_post_vouchers.py"
        "::test_a_locked_period_is_shown_and_what_is_posted_meanwhile_goes_along_when_it_opens"
    ),
    "exchange-rate-missing": Elsewhere(
        "tests/workflows/test_exchange_rates.py::test_a_rate_that_is_late_is_named_and_goes_on_when_it_comes"
    ),
    "exchange-rate-implausible": Elsewhere(
        "tests/workflows/test_exchange_rates.py::test_one_krona_for_a_euro_blocks_until_a_person_confirms_or_the_bank_corrects"
    ),
    "difference-needs-approval": Elsewhere(
        "tests/workflows/test_reconcile_stock.py::test_what_waits_is_shown_until_people_have_decided_and_holds_nothing_up"
    ),
    "goods-received-account-missing": Elsewhere(
        "tests/workflows/test_receive_purchase_order.py::test_a_missing_account_blocks_and_setting_it_goes_on"
    ),
    "returned-more-than-sent": Elsewhere(
        "tests/workflows/test_receive_return.py::test_money_that_waits_says_for_whom_and_a_decision_lets_the_return_end"
    ),
    "approval-incomplete": Elsewhere(
        "tests/workflows/test_reconcile_stock.py::test_what_waits_is_shown_until_people_have_decided_and_holds_nothing_up"
    ),
    "balances-off": Elsewhere(
        "tests/workflows/test_flows.py::test_no_day_is_compared_while_balances_are_off_and_it_is_when_they_are_on"
    ),
    "sweep-off": Elsewhere(
        "tests/workflows/test_flows.py::test_no_night_is_swept_while_the_sweep_is_off_and_it_is_when_it_is_on"
    ),
    "orders-out-off": Elsewhere(
        "tests/workflows/test_flows.py::test_an_order_is_not_sent_while_its_flow_is_off_and_is_when_it_is_on"
    ),
    "orders-back-off": Elsewhere(
        "tests/workflows/test_flows.py::test_nothing_is_booked_while_orders_back_is_off_and_everything_is_afterwards"
    ),
    "invoices-off": Elsewhere(
        "tests/workflows/test_flows.py::test_stock_is_booked_while_invoices_are_off_and_the_invoice_follows"
    ),
    "vouchers-off": Elsewhere(
        "tests/workflows/test_flows.py::test_postings_wait_while_vouchers_are_off_and_are_booked_at_once_when_they_are_on"
    ),
    "articles-off": Elsewhere(
        "tests/workflows/test_flows.py::test_changed_articles_wait_while_their_flow_is_off_and_are_sent_at_once_when_it_is_on"
    ),
}

ELSEWHERE |= {
    "supplier-invoice-to-decide": Elsewhere(
        "tests/workflows/test_supplier_invoices.py::test_an_invoice_that_differs_stands_still_until_a_person_approves_it"
    ),
    "supplier-invoices-off": Elsewhere(
        "tests/workflows/test_flows.py::test_no_supplier_invoice_is_read_while_their_flow_is_off_and_all_are_when_it_is_on"
    ),
    "posting-rule-missing": Elsewhere(
        "tests/starters/test_cli_cost.py::test_goods_without_a_posting_rule_are_not_revalued_until_the_rule_named_is_set"
    ),
    "preview-outdated": Elsewhere(
        "tests/starters/test_cli_cost.py::test_a_preview_that_is_outdated_is_refused_and_the_new_one_is_booked"
    ),
}
