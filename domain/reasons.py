"""Every reason a process may stand still, in one table: what it means, who acts, and what they do.

A code is the value of the search attribute `BlockedReason`, so it is short, stable and carries nothing personal.
"""

from dataclasses import dataclass

from domain.flows import FLOWS


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something waits. `who` is erp, warehouse, accounting or person, the value of `WaitingFor`."""

    sentence: str
    who: str
    remedy: str


REASONS: dict[str, Reason] = {
    "no-answer": Reason(
        "The other system has not answered for a while.", "system", "Nothing: it is tried again until it answers."
    ),
    "unclear-answer": Reason(
        "The warehouse's answer lacks a line or a quantity, and absent is never zero.",
        "warehouse",
        "Nothing, if it passes; else ask the warehouse what became of the line named.",
    ),
    "settling": Reason(
        "A write to Fortnox had no clear answer; nothing is written again until it can no longer arrive.",
        "system",
        "Nothing: it goes on by itself.",
    ),
    "report-refused": Reason(
        "The warehouse refuses to be told what we have booked.", "warehouse", "Read its answer; our own books stand."
    ),
    "connection-blocked": Reason(
        "The other system refuses our credentials, or they open another company.",
        "person",
        "Correct the credentials (lagerbro connection set ... --credentials FILE); everything waiting goes on by itself.",
    ),
    "unknown-article": Reason(
        "An order line names an article that the ERP does not have.",
        "erp",
        "Add the article in erp.article, or correct the line; a new article is noticed by itself.",
    ),
    "article-refused": Reason(
        "The warehouse refuses an article of the order.", "erp", "Correct the article in erp.article, then retry."
    ),
    "article-deleted": Reason(
        "An article was deleted in the ERP, and the warehouse has it still: it has no way to delete one.",
        "erp",
        "Insert it again with active = false, and the warehouse is told; nothing else if it shall stay there.",
    ),
    "articles-refused-in-a-row": Reason(
        "The warehouse refuses one article after another; they are tried a few at a time, so that it does not shut us out.",
        "person",
        "Read what it answers (lagerbro article status): most often one setting or group is missing there.",
    ),
    "article-renamed": Reason(
        "An article replaces another number, and the warehouse keeps stock under the number it was received on.",
        "warehouse",
        "Let the stock of the old number run out, or ask the warehouse to move it to the new one.",
    ),
    "near-twin-article": Reason(
        "Two articles have numbers that differ in case, blanks or leading zeros only, or the warehouse takes one for the other.",
        "person",
        "Rename one of the two articles, then retry.",
    ),
    "missing-address": Reason(
        "The order has no delivery address (name, address, post code, city and country are needed).",
        "erp",
        "Fill in the delivery columns of erp.sales_order, then retry.",
    ),
    "exchange-rate-missing": Reason(
        "A currency has no exchange rate for the day.",
        "system",
        "Nothing, if the bank is late: it is asked again. Else correct rate_currencies in the merchant's settings.",
    ),
    "exchange-rate-implausible": Reason(
        "A published exchange rate is not believable; it is not used.",
        "person",
        "Compare with the bank's own page. If it is right: lagerbro rates confirm; if it is per 100: set rate_units.",
    ),
    "landed-cost-not-allocated": Reason(
        "A landed cost cannot be laid on its receipt lines.",
        "person",
        "Complete the articles and retry; or write another key or parts by hand in erp.landed_cost; or withdraw it"
        " (lagerbro purchase withdraw) and enter it anew.",
    ),
    "cost-implausible": Reason(
        "An article's calculated cost would make a jump; the old one stays.",
        "person",
        "Check price, currency and rate; then set the cost by hand.",
    ),
    "missing-exchange-rate": Reason(
        "The order is in another currency than the books and has no exchange rate.",
        "erp",
        "Set exchange_rate on erp.sales_order (books' currency per unit), then retry.",
    ),
    "order-without-lines": Reason("The order has no lines left.", "erp", "Add lines or cancel the order."),
    "foreign-order-number": Reason(
        "The warehouse already holds an order with this number that we did not send.",
        "person",
        "Renumber or remove one of the two, then retry; or take theirs over with adopt and its id.",
    ),
    "order-refused": Reason("The warehouse refuses the order.", "erp", "Correct what its answer names, then retry."),
    "change-refused": Reason(
        "The warehouse did not take a change of the order; it goes on as the warehouse has it.",
        "erp",
        "See refused_part and refused_text on the ERP's row; change the order again, or agree with the warehouse.",
    ),
    "order-differs": Reason(
        "The warehouse holds the order with other lines than we sent.",
        "person",
        "Compare the two; correct in Ongoing or in the ERP, then retry.",
    ),
    "unknown-order-status": Reason(
        "The warehouse uses an order status that the merchant's mapping does not know.",
        "person",
        "Add the number to statuses (lagerbro merchant settings set FILE); the order goes on by itself.",
    ),
    "unknown-way-of-delivery": Reason(
        "The order's way of delivery is not in the merchant's mapping.",
        "person",
        "Add the code to ways_of_delivery (lagerbro merchant settings set FILE), or correct the order; it goes on by itself.",
    ),
    "unknown-order-type": Reason(
        "The order's type is not in the merchant's mapping.",
        "person",
        "Add the code to order_types (lagerbro merchant settings set FILE), or correct the order; it goes on by itself.",
    ),
    "order-error-at-warehouse": Reason(
        "The warehouse has set the order to its error status.", "warehouse", "Let the warehouse correct the order, then retry."
    ),
    "article-not-in-erp": Reason(
        "The warehouse moved an article on the order that the ERP does not have.",
        "erp",
        "Add the article in erp.article, then retry: the movement is booked then.",
    ),
    "too-late-to-cancel": Reason(
        "The order was asked to be cancelled, but the warehouse has begun.",
        "person",
        "Ask the warehouse; the order goes on true to what it does.",
    ),
    "missing-customer": Reason(
        "The order has no customer and the merchant has no collective customer for its country.",
        "erp",
        "Set customer_number on the order, or allow collective customers in the merchant's settings.",
    ),
    "customer-number-not-accepted": Reason(
        "Fortnox takes only letters, digits and - + / _ in a customer number.", "erp", "Renumber the customer, then retry."
    ),
    "customer-refused": Reason("Fortnox refuses the customer.", "erp", "Correct what its answer names, then retry."),
    "customer-number-taken": Reason(
        "Fortnox holds another customer under this number.", "accounting", "Renumber one of the two, then retry."
    ),
    "vat-does-not-fit-customer": Reason(
        "A line has VAT, but the customer's country or VAT number says there is none.",
        "erp",
        "Correct vat_rate on the line or the customer's country and VAT number, then retry.",
    ),
    "vat-rate-without-account": Reason(
        "No sales account is known for a line's VAT rate.",
        "accounting",
        "Add the rate to the merchant's accounts or set account on the line, then retry.",
    ),
    "row-not-exact": Reason(
        "Fortnox computes another VAT for the draft invoice than the rounding rule allows.",
        "accounting",
        "Compare the draft with what is named; correct it in Fortnox, or cancel it there, then retry.",
    ),
    "invoice-refused": Reason("Fortnox refuses the invoice.", "accounting", "Correct what its answer names, then retry."),
    "invoice-differs": Reason(
        "The draft invoice in Fortnox differs from what was meant.",
        "accounting",
        "Undo the change in Fortnox or cancel the draft there, then retry.",
    ),
    "invoice-cancelled-by-hand": Reason(
        "Somebody cancelled the invoice in Fortnox.", "accounting", "Decide whether it shall be made again; then retry."
    ),
    "invoice-booked-twice": Reason(
        "Two booked invoices in Fortnox carry one reference.", "accounting", "Credit one of them in Fortnox, then retry."
    ),
    "period-locked": Reason(
        "The accounting period of the invoice is locked.",
        "accounting",
        "Unlock the period in Fortnox, then retry; or send choose_period with a day that is open.",
    ),
    "voucher-refused": Reason(
        "Fortnox refuses a voucher.",
        "accounting",
        "Read its answer: a series not copied to the new year or not manual, or an account that is not active; then retry.",
    ),
    "voucher-series-wrong": Reason(
        "The voucher series is missing for the year, or takes no manual vouchers.",
        "accounting",
        "Make the series for that year in Fortnox and allow manual vouchers in it, then retry.",
    ),
    "voucher-differs": Reason(
        "A voucher in Fortnox has our key and other amounts than we sent.",
        "accounting",
        "Compare the voucher named with its specification (lagerbro tie-out); correct it in Fortnox, then retry.",
    ),
    "voucher-booked-twice": Reason(
        "An attempt without a clear answer arrived after all: the second voucher was reversed by one that names it.",
        "accounting",
        "Nothing to book: look at the two vouchers, then close the note (lagerbro note close).",
    ),
    "financial-year-missing": Reason(
        "Fortnox has no financial year for the date.", "accounting", "Create the financial year in Fortnox, then retry."
    ),
    "posting-rule-missing": Reason(
        "No posting rule of the merchant says on which accounts an event of stock is booked.",
        "accounting",
        "Add a rule for the event named to posting_rules (lagerbro merchant posting-rules explain EVENT); what waits goes on by"
        " itself, a revaluation is booked again.",
    ),
    "standard-cost-missing": Reason(
        "Stock stands at standard cost, and an article has none.",
        "erp",
        "Write its cost to erp.standard_cost (or: lagerbro cost standard ARTICLE PRICE); what waits goes on by itself.",
    ),
    "preview-outdated": Reason(
        "A revaluation was to be booked that is not what was previewed; nothing was booked.",
        "person",
        "Look at the new preview (lagerbro cost preview), then book that.",
    ),
    "settings-wrong": Reason(
        "The merchant's settings are not usable.",
        "person",
        "Correct the setting named (lagerbro merchant settings check FILE, then set FILE); what waits goes on by itself.",
    ),
    "account-missing": Reason(
        "An account that is used is not in Fortnox's chart, or is not active.",
        "accounting",
        "Add or activate the account in Fortnox, or correct the merchant's accounts, then retry.",
    ),
    "currency-missing": Reason(
        "The currency is not registered in Fortnox.", "accounting", "Register the currency in Fortnox, then retry."
    ),
    "terms-missing": Reason(
        "Fortnox does not have the terms of payment, the terms of delivery or the way of delivery.",
        "accounting",
        "Add it in Fortnox, or correct the merchant's settings (terms_of_payment), then retry.",
    ),
    "vat-not-registered": Reason(
        "Fortnox does not take the VAT rate or VAT code of a row.",
        "accounting",
        "Register the VAT rate in Fortnox, or correct the row, then retry.",
    ),
    "vat-number-refused": Reason(
        "Fortnox does not take the customer's VAT number.", "erp", "Correct vat_number on erp.customer, then retry."
    ),
    "fortnox-warehouse-on": Reason(
        "Fortnox Lager is on in the company and holds the invoice back.",
        "accounting",
        "Switch Fortnox Lager off for the company, or mark the invoice ready for it there, then retry.",
    ),
    "fortnox-rights-missing": Reason(
        "The service account in Fortnox lacks a right or a licence.",
        "accounting",
        "Give the integration the right or the licence in Fortnox; everything waiting goes on by itself.",
    ),
    "held-by-a-person": Reason("A person has put the order on hold.", "person", "Send the correction release when it may go on."),
    "over-delivery": Reason(
        "The warehouse picked more than was ordered; the surplus is not invoiced.",
        "person",
        "Invoice the surplus by hand or take it back.",
    ),
    "picked-after-cancel": Reason(
        "The order was cancelled, yet the warehouse has picked it.", "person", "Take the goods back or reopen the sale."
    ),
    "return-refused": Reason("The warehouse refuses the return order.", "erp", "Correct what its answer names, then retry."),
    "return-differs": Reason(
        "The warehouse holds the return order with other lines than we sent.",
        "person",
        "Compare the two; correct in Ongoing or in the ERP, then retry.",
    ),
    "return-of-unsent-order": Reason(
        "The return names an order, or a line of it, that the warehouse has never had.",
        "erp",
        "Correct its lines, or cancel it and write a new one of the right order; goods that come all the same are booked.",
    ),
    "return-without-lines": Reason("The return has no lines.", "erp", "Add lines in erp.return_order_line or cancel the return."),
    "returned-more-than-sent": Reason(
        "More came back than was sent or invoiced; the goods are booked, the surplus is not credited.",
        "person",
        "Count with the warehouse; correct it there, or settle the return without credit (lagerbro return settle).",
    ),
    "invoiced-outside": Reason(
        "What came back was invoiced outside Lagerbro; the goods are booked, nothing is credited.",
        "person",
        "Credit it by hand where it was invoiced; a return is settled then (lagerbro return settle).",
    ),
    "unknown-return-cause": Reason(
        "Goods came back for a cause that the merchant's map does not know; they are booked, the credit waits.",
        "person",
        "Add the cause to the merchant's settings (return_causes), then retry.",
    ),
    "unknown-return-status": Reason(
        "The warehouse uses a status of return orders that the merchant's mapping does not know.",
        "person",
        "Add the number to the merchant's settings (return_statuses), then retry.",
    ),
    "too-late-to-cancel-return": Reason(
        "The return was asked to be cancelled, but goods have come back.",
        "person",
        "Nothing, if they may stay; the return goes on true to what came.",
    ),
    "return-undone-after-credit": Reason(
        "The warehouse took a return back that had been credited: the customer has goods and money.",
        "person",
        "Sell the goods anew on an order, or correct the return in the warehouse.",
    ),
    "return-not-ours": Reason(
        "Goods came back on a line of the warehouse that is no line of the order; they are booked, nothing is credited.",
        "person",
        "Decide with the warehouse what they are; credit them by hand if they were sold.",
    ),
    "foreign-return-number": Reason(
        "The warehouse already holds a return order with this number for another order.",
        "person",
        "Cancel the return and announce it under another number; or have the other one renumbered, then retry.",
    ),
    "purchase-without-lines": Reason(
        "The purchase order has no lines.", "erp", "Add lines in erp.purchase_order_line or cancel the purchase order."
    ),
    "purchase-refused": Reason(
        "The warehouse refuses the purchase order.", "erp", "Correct what its answer names; the change is sent by itself."
    ),
    "purchase-change-refused": Reason(
        "The warehouse has begun with the purchase order and keeps it as it was; what it receives is booked.",
        "erp",
        "Set the purchase order back to what the warehouse expects, or agree with the warehouse.",
    ),
    "purchase-differs": Reason(
        "The warehouse holds the purchase order otherwise than it was sent.",
        "person",
        "Compare what is named; correct it in the ERP or in the warehouse, then retry.",
    ),
    "foreign-purchase-number": Reason(
        "The warehouse holds a purchase order with this number that we did not send.",
        "person",
        "Cancel it and place it under another number; or have the other one renumbered in the warehouse, then retry.",
    ),
    "unknown-purchase-status": Reason(
        "A status number of the warehouse's purchase orders has no meaning in the settings.",
        "person",
        "Add it to purchase_statuses (lagerbro merchant settings); it goes on by itself.",
    ),
    "goods-received-account-missing": Reason(
        "Goods have come in, and no account is set for goods received and not invoiced.",
        "accounting",
        "Set goods_received_not_invoiced_account in the merchant's settings; it goes on by itself.",
    ),
    "too-late-to-cancel-purchase": Reason(
        "The purchase order cannot be cancelled any more: the warehouse has begun.",
        "erp",
        "Let it be received, or agree with the warehouse.",
    ),
    "purchase-article-not-in-erp": Reason(
        "The warehouse has received an article that the ERP does not have: it cannot be booked.",
        "erp",
        "Add the article in erp.article; it goes on by itself.",
    ),
    "received-not-ordered": Reason(
        "An article was received that is not on the purchase order; booked at its purchase price, or at what it costs in stock.",
        "person",
        "See whether it was meant for another order; its supplier invoice settles the cost.",
    ),
    "received-more-than-ordered": Reason(
        "More was received than was ordered; all of it is booked.", "person", "Agree with the supplier, or return the surplus."
    ),
    "purchase-short": Reason(
        "The warehouse has finished the purchase order, and less came than was ordered.",
        "person",
        "Close it (lagerbro purchase close), or let the warehouse receive the rest.",
    ),
    "purchase-over": Reason(
        "The warehouse has finished the purchase order, and more or something else came than was ordered.",
        "person",
        "Close it (lagerbro purchase close) once it is agreed with the supplier.",
    ),
    "received-after-close": Reason(
        "Goods came in on a purchase order that was closed or cancelled; they are booked.",
        "person",
        "See whether the supplier delivered late; nothing else is to be done.",
    ),
    "supplier-invoice-to-decide": Reason(
        "A supplier invoice differs from what was ordered and received by more than may be booked unasked.",
        "person",
        "Look at it (lagerbro purchase invoices); then approve it (lagerbro purchase approve NUMBER --invoice N) or --reject it.",
    ),
    "supplier-invoice-without-purchase": Reason(
        "A supplier invoice is booked as goods received, and does not say for which one purchase order.",
        "accounting",
        "Write the purchase order's number in the invoice in Fortnox; it is read again by itself.",
    ),
    "supplier-invoice-not-on-account": Reason(
        "A supplier invoice names a purchase order, and has no row on the account of goods received and not invoiced.",
        "accounting",
        "Code its goods on that account in Fortnox; it is read again by itself.",
    ),
    "supplier-invoice-not-taken": Reason(
        "A supplier invoice in Fortnox says something that cannot be kept, such as an amount or a rate that is none; all others"
        " are read.",
        "accounting",
        "Correct in Fortnox what is named, or cancel the invoice there; it is read again by itself.",
    ),
    "supplier-invoice-changed": Reason(
        "A supplier invoice was changed or cancelled in Fortnox after it was matched; what it had booked is taken back.",
        "accounting",
        "See whether that was meant; it is matched again as it is now.",
    ),
    "supplier-return-impossible": Reason(
        "More is to go back to the supplier than our books hold or was received.",
        "erp",
        "Write a smaller quantity in erp.supplier_return, or withdraw it (lagerbro purchase withdraw) and enter a smaller one.",
    ),
    "credit-more-than-invoiced": Reason(
        "More is to be credited than was invoiced and is left.",
        "person",
        "Correct the lines of erp.return_order_line, or cancel the credit (lagerbro return cancel).",
    ),
    "stock-below-zero": Reason(
        "More was picked than our books hold; valued at the last known cost.", "person", "Book the missing receipt."
    ),
    "unexpected-refusal": Reason(
        "The other system refuses the request for a reason we do not know.", "person", "Read its answer; correct, then retry."
    ),
    "difference-needs-approval": Reason(
        "The warehouse's balance differs from our books for a reason nobody knows, by more than may be booked unasked.",
        "person",
        "Ask the warehouse to count; then lagerbro reconcile approve NUMBER --by ... --reason ... (or --refuse).",
    ),
    "reconciliation-held": Reason(
        "A reconciliation would empty the stock or change too much of its value: it has booked nothing of the unknown.",
        "person",
        "Look at its file; if the warehouse is right, approve the differences, else ask it what happened.",
    ),
    "counting-not-proved": Reason(
        "No real pick and receipt has shown yet how the warehouse counts: nothing unknown is booked before that.",
        "person",
        "See lagerbro doctor; it says what must be seen. If you know it, set reconciliation.counting_is_known.",
    ),
    "difference-to-mend": Reason(
        "A difference has a cause that somebody must mend: a unit factor, a near-twin or renamed article, a foreign document.",
        "person",
        "See the reconciliation file: it names the article and what to do.",
    ),
    "approval-incomplete": Reason(
        "An approval needs a name, a reason and, above the limit, a second person.",
        "person",
        "Approve again with what is missing.",
    ),
    "stock-file-refused": Reason(
        "A delivered reconciliation file cannot be believed.",
        "warehouse",
        "Have a whole, fresh file of this goods owner delivered.",
    ),
} | {
    flow.off: Reason(
        f"The flow {flow.name} is switched off: {flow.carries}.",
        "person",
        f"Switch it on (lagerbro entity on {flow.name}); everything waiting goes on by itself.",
    )
    for flow in FLOWS.values()
}

CLOSE_BY_THEMSELVES = frozenset({"stock-below-zero", "article-refused"})
"""Notes that nobody may close: our own books show whether they are still so."""
