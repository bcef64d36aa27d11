"""Violations to plant, at least one of each invariant: what a superuser could do, and what our own code could do wrong.

Each is planted in the healthy books of `healthy.py`, with triggers off where the database would refuse it, and rolled back.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plant:
    """One violation: the invariant that must find it, what it is in words, and how it is made.

    `off`: tables whose triggers (foreign keys too) are switched off first.
    """

    invariant: str
    what: str
    off: tuple[str, ...]
    statements: tuple[str, ...]


ENTRY, BALANCE, BOOKING, COUNTED = "erp.stock_entry", "erp.stock_balance", "bridge.booking", "bridge.counted"
POSTING, POSTING_ROW, TRANSACTION = "erp.posting", "erp.posting_row", "erp.ledger_transaction"
BASIS, BASIS_ROW, SHIPMENT, SHIPMENT_LINE = "erp.invoice_basis", "erp.invoice_basis_row", "erp.shipment", "erp.shipment_line"
ORDER, MOVE, PROCESS, LINK, CALL = "erp.sales_order", "bridge.status_move", "bridge.process", "bridge.link", "bridge.foreign_call"

RETURNS = (
    Plant(
        "P1",
        "a return moved other stock than it counted",
        (ENTRY,),
        ("update erp.stock_entry set quantity = 2 where merchant_id = 'alfa' and kind = 'return'",),
    ),
    Plant(
        "L5",
        "goods came back on another line's pick",
        (ENTRY,),
        ("update erp.stock_entry set reverses_entry_no = 4 where merchant_id = 'alfa' and kind = 'return'",),
    ),
    Plant(
        "L5",
        "more of a pick came back than had left",
        (ENTRY,),
        ("update erp.stock_entry set quantity = 9 where merchant_id = 'alfa' and kind = 'return'",),
    ),
    Plant(
        "L5",
        "everything came back, and an öre of its value did not",
        (ENTRY,),
        (
            "update erp.stock_entry set quantity = -2, value = -20.02"
            " where merchant_id = 'alfa' and kind = 'pick' and quantity = -3 and document = 'sales-order/SO-6'",
        ),
    ),
    Plant(
        "L3",
        "scrapped goods came in",
        (ENTRY,),
        (
            "alter table erp.stock_entry drop constraint ck_stock_entry_sign_follows_kind",
            "update erp.stock_entry set quantity = 1 where merchant_id = 'alfa' and kind = 'scrap'",
        ),
    ),
    Plant(
        "V2",
        "what was scrapped has another value in the books",
        (POSTING_ROW,),
        (
            "update erp.posting_row r set debit = case when debit > 0 then 1 else 0 end,"
            " credit = case when credit > 0 then 1 else 0 end"
            " from erp.posting p where p.merchant_id = r.merchant_id and p.posting_no = r.posting_no"
            " and p.event = 'goods-scrapped'",
        ),
    ),
    Plant(
        "I3",
        "more pieces are credited than were invoiced",
        (BASIS_ROW,),
        ("update erp.invoice_basis_row set billed_quantity = -4 where credits_row_no is not null",),
    ),
    Plant(
        "I3",
        "a credit is larger than its invoice",
        (BASIS,),
        ("update erp.invoice_basis set amount = -500 where credits_basis_no is not null",),
    ),
    Plant(
        "I3",
        "more of a VAT rate is credited than was invoiced",
        (BASIS_ROW,),
        ("update erp.invoice_basis_row set amount = -120.01 where basis_no = 7",),
    ),
    Plant(
        "I3",
        "what a credit leaves of its invoice has an öre too much VAT",
        (BASIS_ROW,),
        (
            "update erp.invoice_basis_row set amount = 10.02 where basis_no = 6",
            "update erp.invoice_basis_row set amount = -5.01 where basis_no = 7",
        ),
    ),
    Plant(
        "I3",
        "a credit has another rate than its invoice",
        (BASIS,),
        ("update erp.invoice_basis set exchange_rate = 2 where credits_basis_no is not null",),
    ),
    Plant(
        "I3",
        "a credit takes back a row with another account",
        (BASIS_ROW,),
        ("update erp.invoice_basis_row set account = 3999 where credits_row_no is not null",),
    ),
    Plant(
        "V6",
        "a completed return has goods that nobody settled",
        ("erp.return_settlement",),
        ("delete from erp.return_settlement",),
    ),
    Plant(
        "V6",
        "a completed return has an open credit",
        (BASIS,),
        ("update erp.invoice_basis set state = 'open', booked_at = null where credits_basis_no is not null",),
    ),
)

COUNTERS = (
    Plant("P1", "a counter was set by hand", (), ("update bridge.counted set booked = booked + 1 where doc_id = 9001",)),
    Plant("P1", "a step is missing", (BOOKING,), ("update bridge.booking set step = 3 where doc_id = 9001 and step = 2",)),
    Plant(
        "P1",
        "a step does not begin where the last one ended",
        (BOOKING,),
        ("update bridge.booking set from_value = 3, quantity = to_value - 3 where doc_id = 9001 and step = 2",),
    ),
    Plant(
        "P1",
        "a step moved other stock than it counted",
        (ENTRY,),
        ("update erp.stock_entry set quantity = quantity - 1 where merchant_id = 'alfa' and entry_no = 4",),
    ),
    Plant(
        "P1",
        "a step moved no stock",
        (ENTRY,),
        ("delete from erp.stock_entry where merchant_id = 'alfa' and entry_no = 4",),
    ),
)
STOCK = (
    Plant("L1", "a balance in pieces was changed", (), ("update erp.stock_balance set quantity = quantity + 1",)),
    Plant("L1", "a balance in money was changed", (), ("update erp.stock_balance set value = value + 0.01 where quantity > 0",)),
    Plant(
        "L1",
        "an entry was booked twice for one cause",
        (ENTRY,),
        (
            "alter table erp.stock_entry drop constraint uq_stock_entry_merchant_id_cause_article_number_warehouse",
            "insert into erp.stock_entry (merchant_id, entry_no, transaction_no, article_number, warehouse, kind, quantity,"
            " value, document, cause, occurred_at) select merchant_id, 99, transaction_no, article_number, warehouse, kind,"
            " quantity, value, document, cause, occurred_at from erp.stock_entry where merchant_id = 'alfa' and entry_no = 1",
        ),
    ),
    Plant(
        "L2",
        "a cost was rewritten, with its balance and its posting",
        (ENTRY, POSTING_ROW),
        (
            "update erp.stock_entry set value = value - 0.01 where merchant_id = 'alfa' and entry_no = 8",
            "update erp.stock_balance set value = value - 0.01 where merchant_id = 'alfa' and article_number = 'A'",
        ),
    ),
    Plant(
        "L2",
        "an accounting date was moved",
        (POSTING,),
        ("update erp.posting set accounting_date = accounting_date - 40 where merchant_id = 'alfa' and posting_no = 2",),
    ),
    Plant(
        "L2",
        "a transaction was cut out of the middle",
        (ENTRY, TRANSACTION, POSTING, POSTING_ROW),
        (
            "delete from erp.stock_entry where merchant_id = 'alfa' and transaction_no = 3",
            "delete from erp.posting_row r using erp.posting p where p.merchant_id = 'alfa' and p.transaction_no = 3"
            " and r.merchant_id = p.merchant_id and r.posting_no = p.posting_no",
            "delete from erp.posting where merchant_id = 'alfa' and transaction_no = 3",
            "delete from erp.ledger_transaction where merchant_id = 'alfa' and transaction_no = 3",
        ),
    ),
    Plant(
        "L2",
        "who booked it was rewritten",
        (TRANSACTION,),
        ("update erp.ledger_transaction set actor = 'somebody else' where merchant_id = 'alfa' and transaction_no = 2",),
    ),
    Plant(
        "L2",
        "the function that makes the hashes was replaced by one that approves of everything",
        (),
        (
            "create or replace function erp.ledger_digest(the_merchant text, the_transaction bigint, previous bytea,"
            " heading text) returns bytea language sql stable as $$ select hash from erp.ledger_transaction"
            " where merchant_id = the_merchant and transaction_no = the_transaction $$",
            "alter table erp.stock_entry disable trigger all",
            "update erp.stock_entry set document = 'sales-order/SO-9' where merchant_id = 'alfa' and entry_no = 4",
        ),
    ),
    Plant("L2", "the ledger may be rewritten", (), ("alter table erp.stock_entry disable trigger append_only",)),
    Plant("L2", "the ledger may be emptied", (), ("drop trigger append_only_truncate on erp.posting",)),
    Plant("L2", "the application may rewrite the ledger", (), ("grant update on erp.posting_row to lagerbro_app",)),
    Plant(
        "L3",
        "a pick puts goods in",
        (ENTRY,),
        (
            "alter table erp.stock_entry drop constraint ck_stock_entry_sign_follows_kind",
            "update erp.stock_entry set quantity = 2 where merchant_id = 'alfa' and entry_no = 4",
        ),
    ),
    Plant(
        "L3",
        "a quantity is not a number",
        (ENTRY,),
        (
            "alter table erp.stock_entry drop constraint ck_stock_entry_sign_follows_kind",
            "alter table erp.stock_entry drop constraint ck_stock_entry_figures_in_range",
            "update erp.stock_entry set quantity = 'NaN' where merchant_id = 'alfa' and entry_no = 1",
        ),
    ),
    Plant(
        "L3",
        "stock below zero was waved through",
        (),
        ("update bridge.exception set closed_at = now(), closed_by = 'me' where code = 'stock-below-zero'",),
    ),
    Plant(
        "L4",
        "an article was renamed under its stock",
        ("erp.article",),
        ("update erp.article set article_number = 'a' where merchant_id = 'alfa' and article_number = 'A'",),
    ),
    Plant(
        "L5",
        "more was taken back than had left",
        (ENTRY,),
        ("update erp.stock_entry set quantity = 3 where merchant_id = 'alfa' and entry_no = 6",),
    ),
    Plant(
        "L5",
        "another article was taken back",
        (ENTRY,),
        ("update erp.stock_entry set reverses_entry_no = 4 where merchant_id = 'alfa' and entry_no = 6",),
    ),
    Plant(
        "L5",
        "a reversal was reversed",
        (ENTRY,),
        ("update erp.stock_entry set reverses_entry_no = 6 where merchant_id = 'alfa' and entry_no = 11",),
    ),
)
BOOKS = (
    Plant("V1", "a value is kept as a float", (), ("alter table erp.stock_entry alter column value type double precision",)),
    Plant("V1", "a column has other decimals", (), ("alter table erp.posting_row alter column debit type numeric(20, 4)",)),
    Plant(
        "V2",
        "a posting does not balance",
        (POSTING_ROW,),
        ("update erp.posting_row set debit = debit + 1 where merchant_id = 'alfa' and posting_no = 2 and debit > 0",),
    ),
    Plant(
        "V2",
        "a posting has one row",
        (POSTING_ROW,),
        ("delete from erp.posting_row where merchant_id = 'alfa' and posting_no = 2 and credit > 0",),
    ),
    Plant(
        "V2",
        "a posting has its sides the wrong way round",
        (POSTING_ROW,),
        ("update erp.posting_row set debit = credit, credit = debit where merchant_id = 'alfa' and posting_no = 2",),
    ),
    Plant(
        "V2",
        "a posting books less than its goods were worth",
        (POSTING_ROW,),
        (
            "update erp.posting_row set debit = case when debit > 0 then 1 else 0 end,"
            " credit = case when credit > 0 then 1 else 0 end where merchant_id = 'alfa' and posting_no = 2",
        ),
    ),
    Plant(
        "V2", "a posting is in another currency", (POSTING,), ("update erp.posting set currency = 'EUR' where posting_no = 2",)
    ),
    Plant(
        "V3",
        "an issue took one öre too much",
        (ENTRY,),
        ("update erp.stock_entry set value = value - 0.01 where merchant_id = 'alfa' and entry_no = 4",),
    ),
    Plant(
        "V3",
        "an issue kept the wrong share",
        (ENTRY,),
        ("update erp.stock_entry set keep = keep - 0.0000000001 where merchant_id = 'alfa' and entry_no = 4",),
    ),
    Plant(
        "V3",
        "an empty pool is worth something",
        (),
        (
            "alter table erp.stock_balance drop constraint ck_stock_balance_no_value_on_zero_pieces",
            "update erp.stock_balance set quantity = 0 where merchant_id = 'alfa' and article_number = 'A'",
        ),
    ),
    Plant(
        "V4",
        "an invoice row was rounded another way",
        (BASIS_ROW,),
        ("update erp.invoice_basis_row set amount = amount + 0.01 where basis_no = 1 and row_no = 2",),
    ),
    Plant(
        "V6",
        "a completed order has an invoice that was never booked",
        (),
        ("update erp.invoice_basis set state = 'open', booked_at = null where basis_no = 1",),
    ),
    Plant(
        "V6",
        "a completed order has goods that were never shipped",
        (),
        ("update bridge.counted set shipped = 0 where doc_id = 9001 and line_id = 1",),
    ),
)
EVENTS = (
    Plant(
        "E1",
        "a message stands twice",
        (),
        (
            "alter table bridge.inbox drop constraint uq_inbox_merchant_id_source_event_id",
            "insert into bridge.inbox (merchant_id, source, event_id, kind, applied_at, outcome)"
            " select merchant_id, source, event_id, kind, applied_at, outcome from bridge.inbox limit 1",
        ),
    ),
    Plant(
        "E2",
        "an order in the warehouse is watched by nobody",
        ("bridge.watched", COUNTED),
        ("delete from bridge.watched where doc_id = 9001",),
    ),
    Plant(
        "E2",
        "a line in the warehouse is not counted",
        (COUNTED, BOOKING),
        ("delete from bridge.counted where doc_id = 9001 and line_id = 2",),
    ),
    Plant(
        "E3",
        "a message has not been applied for a day",
        (),
        (
            "insert into bridge.inbox (merchant_id, source, event_id, kind, document, received_at)"
            " values ('alfa', 'webhook', 'late', 'sales-order', 'SO-4', now() - interval '1 day')",
        ),
    ),
    Plant(
        "E3",
        "a look has been owed for a day",
        (),
        ("update bridge.watched set look_owed = true, looked_at = now() - interval '1 day' where document = 'SO-4'",),
    ),
    Plant(
        "E4",
        "an older answer was booked after a newer one",
        (BOOKING,),
        ("update bridge.booking set look = 1 where doc_id = 9001 and step = 2",),
    ),
    Plant(
        "E4",
        "an answer was booked that is not below the fence",
        (BOOKING,),
        ("update bridge.booking set look = 1000 where doc_id = 9001 and line_id = 1",),
    ),
    Plant("E5", "the inbox keeps what a message says", (), ("alter table bridge.inbox add column body jsonb",)),
    Plant(
        "E5",
        "a pick was booked from a message",
        (ENTRY,),
        (
            "update erp.stock_entry set booking_kind = null, booking_doc_id = null, booking_line_id = null, booking_what = null,"
            " booking_step = null, cause = 'webhook/1' where merchant_id = 'alfa' and entry_no = 4",
        ),
    ),
    Plant(
        "E6",
        "a message was taken and nothing became of it",
        (),
        ("update bridge.inbox set outcome = null where inbox_no = (select min(inbox_no) from bridge.inbox)",),
    ),
    Plant(
        "E6",
        "an outbox row was dropped because nobody knew its topic",
        (),
        ("update bridge.outbox set outcome = 'unknown topic' where document = 'SO-4'",),
    ),
    Plant(
        "X1",
        "a release waits for a day",
        (),
        (
            "update bridge.outbox set delivered_at = null, outcome = null, created_at = now() - interval '1 day'"
            " where document = 'SO-4'",
        ),
    ),
    Plant("X1", "a release never reached the outbox", (), ("delete from bridge.outbox where document = 'SO-4'",)),
    Plant("X1", "a release was delivered to nobody", (), ("delete from bridge.process where document = 'SO-4'",)),
)
ORDERS = (
    Plant(
        "O1",
        "an order has two processes at once",
        (),
        (
            "drop index bridge.uq_process_running",
            "insert into bridge.process (merchant_id, kind, document, run, workflow_id)"
            " values ('alfa', 'sales-order', 'SO-4', 2, 'sales-order/alfa/SO-4/2')",
        ),
    ),
    Plant(
        "O1",
        "a process has another workflow's id",
        (),
        ("update bridge.process set workflow_id = 'sales-order/alfa/SO-5' where document = 'SO-4'",),
    ),
    Plant(
        "O2",
        "a status was set past the graph",
        (ORDER,),
        ("update erp.sales_order set status = 'completed' where order_number = 'SO-4'",),
    ),
    Plant(
        "O2",
        "a move is not on the graph",
        (MOVE,),
        ("update bridge.status_move set from_status = 'cancelled' where to_status = 'completed' and order_number = 'SO-2'",),
    ),
    Plant("O2", "a move has no cause", (MOVE,), ("update bridge.status_move set cause = '' where order_number = 'SO-2'",)),
    Plant(
        "O3",
        "an order was sent before its article",
        (),
        ("delete from bridge.link where merchant_id = 'alfa' and kind = 'article' and our_key = 'A'",),
    ),
    Plant(
        "O3",
        "an invoice was sent before its customer",
        (),
        ("delete from bridge.link where merchant_id = 'alfa' and kind = 'customer'",),
    ),
    Plant(
        "O4",
        "a shipment holds more than was counted",
        (SHIPMENT_LINE,),
        ("update erp.shipment_line set quantity = quantity + 1 where order_number = 'SO-3' and shipment_no = 1",),
    ),
    Plant("O4", "an over-delivery is known to nobody", (), ("delete from bridge.exception where code = 'over-delivery'",)),
    Plant(
        "O4",
        "more came back than was shipped",
        (SHIPMENT_LINE, COUNTED),
        (
            "update erp.shipment_line set quantity = -9 where order_number = 'SO-3' and shipment_no = 2",
            "update bridge.counted set shipped = -5 where doc_id = (select doc_id from bridge.watched where document = 'SO-3')"
            " and line_id = 1",
        ),
    ),
    Plant(
        "O5",
        "the ERP changed an order and nobody sent it on",
        (ORDER,),
        ("update erp.sales_order set version = 2, updated_at = now() - interval '1 day' where order_number = 'SO-4'",),
    ),
    Plant(
        "O5",
        "what was sent was never read back",
        (ORDER,),
        (
            "update bridge.link set confirmed = false where our_key = 'SO-4'",
            "update erp.sales_order set updated_at = now() - interval '1 day' where order_number = 'SO-4'",
        ),
    ),
    Plant(
        "O6",
        "an order is under way and nothing works on it",
        (),
        ("update bridge.process set ended_at = now(), outcome = 'completed' where document = 'SO-4'",),
    ),
    Plant(
        "O6",
        "a process works on an order that has ended",
        (ORDER,),
        (
            "update bridge.process set ended_at = null, outcome = null, started_at = now() - interval '1 day'"
            " where merchant_id = 'alfa' and document = 'SO-1'",
            "update erp.sales_order set status_changed_at = now() - interval '1 day' where order_number = 'SO-1'",
        ),
    ),
    Plant(
        "O6",
        "a purchase is under way and nothing works on it",
        ("erp.purchase_order",),
        ("update erp.purchase_order set status = 'part-received'",),
    ),
    Plant("O7", "the ERP is shown more than was picked", (), ("update erp.picked_line set quantity = quantity + 1",)),
    Plant("O7", "the ERP is not shown what was picked", (), ("delete from erp.picked_line where order_number = 'SO-1'",)),
    Plant("O7", "the ERP is shown an older status", (), ("update erp.warehouse_order set status = 200",)),
    Plant("O7", "the ERP is not shown a document", (), ("delete from erp.warehouse_order where order_number = 'SO-4'",)),
)
INVOICES = (
    Plant(
        "I1",
        "a shipment was never billed",
        (BASIS, BASIS_ROW),
        ("delete from erp.invoice_basis_row where basis_no = 1", "delete from erp.invoice_basis where basis_no = 1"),
    ),
    Plant(
        "I1",
        "a shipment was billed twice",
        (BASIS, BASIS_ROW),
        (
            "alter table erp.invoice_basis drop constraint uq_invoice_basis_merchant_id_order_number_shipment_no_part",
            "create temp table again on commit drop as select * from erp.invoice_basis where basis_no = 1",
            "update again set basis_no = 77, reference = replace(reference, '000000000001', '000000000077')",
            "insert into erp.invoice_basis select * from again",
            "insert into erp.invoice_basis_row select merchant_id, 77, part, row_no, kind, line_number, article_number,"
            " description, quantity, unit_price, discount_percent, amount, vat_rate, account, folded"
            " from erp.invoice_basis_row where basis_no = 1",
        ),
    ),
    Plant(
        "I1",
        "goods were un-picked after their invoice and never credited",
        (BASIS, BASIS_ROW),
        (
            "delete from erp.invoice_basis_row where basis_no = 4 and part = 2",
            "delete from erp.invoice_basis where basis_no = 4 and part = 2",
        ),
    ),
    Plant(
        "I1",
        "a shipment that took goods back too was never billed for those that left",
        (BASIS, BASIS_ROW),
        (
            "delete from erp.invoice_basis_row where basis_no = 4 and part = 1",
            "delete from erp.invoice_basis where basis_no = 4 and part = 1",
            "update erp.invoice_basis_row set part = 1 where basis_no = 4",
            "update erp.invoice_basis set part = 1, reference = left(reference, -7) || '001-000' where basis_no = 4",
        ),
    ),
    Plant(
        "I1",
        "an invoice has more than 500 rows",
        (BASIS_ROW,),
        (
            "insert into erp.invoice_basis_row select r.merchant_id, r.basis_no, r.part, n, kind, line_number, article_number,"
            " description, quantity, unit_price, discount_percent, amount, vat_rate, account, folded"
            " from erp.invoice_basis_row r, generate_series(10, 600) as n where basis_no = 1 and row_no = 1",
        ),
    ),
    Plant("I1", "a reference is not its own", (), ("update erp.invoice_basis set reference = 'lb-1' where basis_no = 1",)),
    Plant(
        "I1",
        "two bases share one invoice",
        (),
        ("update erp.invoice_basis set fortnox_invoice_number = 42 where merchant_id = 'alfa'",),
    ),
    Plant(
        "I2",
        "Fortnox has another total",
        (),
        ("update erp.invoice_basis set fortnox_net = fortnox_net + 1 where basis_no = 1",),
    ),
    Plant(
        "I2",
        "VAT in Fortnox is off by more than the rounding",
        (),
        ("update erp.invoice_basis set fortnox_vat = fortnox_vat + tolerance + 0.01 where basis_no = 1",),
    ),
    Plant(
        "I2",
        "goods were billed at another price than agreed",
        (),
        (
            "update erp.invoice_basis_row set unit_price = 1, amount = quantity where basis_no = 5",
            "update erp.invoice_basis set amount = 1, net = 1, vat = 0.25, fortnox_net = 1, fortnox_vat = 0.25"
            " where basis_no = 5",
        ),
    ),
    Plant(
        "I2",
        "goods were billed at another price on a shipment that took goods back too",
        (BASIS_ROW,),
        (
            "update erp.invoice_basis_row set unit_price = 1, amount = quantity where basis_no = 4 and part = 1",
            "update erp.invoice_basis set amount = 1, net = 1, vat = 0.25, fortnox_net = 1, fortnox_vat = 0.25"
            " where basis_no = 4 and part = 1",
        ),
    ),
    Plant(
        "I2",
        "an invoice is not the sum of its rows",
        (),
        ("update erp.invoice_basis set vat = vat + 0.01 where basis_no = 1",),
    ),
    Plant(
        "I3",
        "more was credited than invoiced",
        (),
        ("update erp.invoice_basis set amount = -300 where kind = 'credit'",),
    ),
    Plant(
        "I3",
        "a credit without goods that came back",
        (SHIPMENT_LINE,),
        ("update erp.shipment_line set quantity = 1 where order_number = 'SO-3' and shipment_no = 2",),
    ),
    Plant(
        "I3",
        "more pieces were credited than were un-picked",
        (BASIS_ROW,),
        ("update erp.invoice_basis_row set billed_quantity = -2 where basis_no = 4 and part = 2",),
    ),
    Plant(
        "I3",
        "an un-pick is credited, and its credit names another order's invoice",
        (BASIS,),
        ("update erp.invoice_basis set credits_basis_no = 1 where basis_no = 4 and part = 2",),
    ),
    Plant(
        "I4", "a booked invoice has no voucher", (), ("update erp.invoice_basis set fortnox_voucher = null where basis_no = 1",)
    ),
    Plant(
        "I4",
        "a booked invoice is not the one that was made",
        (),
        ("update erp.invoice_basis set fortnox_invoice_number = 42 where basis_no = 1",),
    ),
    Plant(
        "I6",
        "a pick was booked on another day than it happened",
        (POSTING,),
        ("update erp.posting set accounting_date = accounting_date - 1 where merchant_id = 'alfa' and event = 'goods-issue'",),
    ),
    Plant("I6", "a shipment is dated another day", (SHIPMENT,), ("update erp.shipment set shipped_on = shipped_on + 1",)),
    Plant("I6", "an invoice is dated another day", (), ("update erp.invoice_basis set invoice_date = invoice_date + 1",)),
    Plant(
        "I7",
        "two articles are one in the warehouse",
        (),
        (
            "alter table bridge.link drop constraint uq_link_merchant_id_system_kind_their_id",
            "update bridge.link set their_id = 'article-A' where merchant_id = 'alfa' and our_key = 'B'",
        ),
    ),
)
CALLS = (
    Plant("X2", "an invoice was booked and never intended", (), ("delete from bridge.foreign_call where their_id is not null",)),
    Plant("X2", "a call ended with nothing to show", (), ("update bridge.foreign_call set their_id = null",)),
    Plant(
        "X2",
        "a call has been unclear for a day and nobody looks",
        (),
        (
            "update bridge.foreign_call set state = 'sent', settle_after = now() - interval '1 day', ended_at = null"
            " where call_no = (select min(call_no) from bridge.foreign_call)",
        ),
    ),
    Plant(
        "X2",
        "a surplus invoice was never cancelled",
        (),
        (
            "insert into bridge.surplus_document (merchant_id, system, kind, their_id, business_key, fault, found_at)"
            " values ('alfa', 'fortnox', 'invoice', '4711', 'lb', 'an answer was lost', now() - interval '1 day')",
        ),
    ),
    Plant("X3", "an attempt settles before it must have ended", (), ("update bridge.foreign_call set settle_after = sent_at",)),
    Plant(
        "X3",
        "an invoice was booked while another attempt could still arrive",
        (),
        ("update bridge.foreign_call set state = 'sent', ended_at = null where their_id is not null",),
    ),
)
GUARDS = (
    Plant("T1", "a table lost its policy", (), ("drop policy app on erp.stock_entry",)),
    Plant("T1", "a policy lets the application see every merchant", (), ("alter policy app on erp.sales_order using (true)",)),
    Plant(
        "T1",
        "another policy lets the application in",
        (),
        ("create policy extra on erp.customer to lagerbro_app using (true) with check (true)",),
    ),
    Plant(
        "T1",
        "what hides rows hides them from this check",
        (),
        ("alter policy verify on erp.stock_entry using (merchant_id <> 'alfa')",),
    ),
    Plant(
        "T2",
        "two merchants use one goods owner",
        (),
        (
            "update bridge.connection set settings = (select settings from bridge.connection"
            " where merchant_id = 'alfa' and system = 'ongoing') where merchant_id = 'beta' and system = 'ongoing'",
        ),
    ),
    Plant(
        "T3",
        "a foreign key crosses merchants",
        (),
        (
            "alter table bridge.voucher add constraint crossing foreign key (voucher_no) references bridge.outbox (outbox_no)"
            " not valid",
        ),
    ),
    Plant(
        "T3",
        "a foreign key is gone",
        (),
        ("alter table erp.shipment_line drop constraint fk_shipment_line_merchant_id_order_number_shipment_no",),
    ),
    Plant(
        "A1",
        "the head of the chain was moved",
        (),
        ("update bridge.ledger_head set hash = sha256('x') where merchant_id = 'alfa'",),
    ),
    Plant(
        "A1",
        "the last transaction was cut off",
        (ENTRY, TRANSACTION, POSTING, POSTING_ROW),
        ("delete from erp.ledger_transaction where merchant_id = 'alfa' and transaction_no = 8",),
    ),
    Plant(
        "A1",
        "a link was broken",
        (TRANSACTION,),
        ("update erp.ledger_transaction set previous_hash = sha256('x') where merchant_id = 'alfa' and transaction_no = 3",),
    ),
    Plant("A2", "a time has no zone", (), ("alter table bridge.booking alter column occurred_at type timestamp",)),
    Plant(
        "A2", "a booking lies ahead of the clock", (BOOKING,), ("update bridge.booking set booked_at = now() + interval '1 day'",)
    ),
    Plant(
        "A3",
        "nobody booked it",
        (TRANSACTION,),
        ("update erp.ledger_transaction set actor = ' ' where merchant_id = 'alfa' and transaction_no = 2",),
    ),
    Plant("A4", "the schema is another version", (), ("update bridge.schema_version set version_num = 'older'",)),
    Plant("A4", "a column is gone", (), ("alter table bridge.entity drop column watermark",)),
    Plant("A5", "commits are not durable", (), ("set local synchronous_commit = off",)),
    Plant(
        "A5",
        "commits of the application are not durable",
        (),
        ("alter role lagerbro_app set synchronous_commit = off",),
    ),
    Plant("A5", "a table is not logged", (), ("alter table bridge.inbox set unlogged",)),
    Plant("A5", "row security is not forced", (), ("alter table erp.stock_entry no force row level security",)),
    Plant("A5", "a superuser's view sees every merchant", (), ("create view erp.everything as select * from erp.sales_order",)),
    Plant("A5", "the application gets around row security", (), ("alter role lagerbro_app bypassrls",)),
    Plant("A5", "the application may become the owner", (), ("grant lagerbro_owner to lagerbro_app",)),
    Plant("A5", "the checker may write", (), ("grant update on erp.article to lagerbro_verify",)),
)

_RATE = (
    "insert into erp.exchange_rate (merchant_id, source, currency, rate_date, revision, value, units, checked_by, asked_at)"
    " values ('alfa', 'riksbank', 'EUR', current_date {}, {}, 11.2, 1, 'ecb', now())"
)
RATES = (
    Plant("V5", "a revision of an exchange rate is missing", (), (_RATE.format("- 1", 2),)),
    Plant("V5", "a revision changes nothing", (), (_RATE.format("- 1", 1), _RATE.format("- 1", 2))),
    Plant("V5", "an exchange rate was known before its day", (), (_RATE.format("+ 2", 1),)),
)

RECEIPT = "erp.goods_receipt_line"
RECEIPTS = (
    Plant("G1", "a receipt holds more than was counted", (RECEIPT,), (f"update {RECEIPT} set quantity = 6 where quantity > 0",)),
    Plant("G1", "a receipt is worth an öre more than stock", (RECEIPT,), (f"update {RECEIPT} set value = value + 0.01",)),
    Plant("G1", "a receipt names another rate than it used", (RECEIPT,), (f"update {RECEIPT} set exchange_rate = 11",)),
    Plant(
        "G1", "a receipt takes back what never came", (RECEIPT,), (f"update {RECEIPT} set reverses_step = 7 where quantity < 0",)
    ),
    Plant("G1", "what was received has no receipt", (RECEIPT,), (f"delete from {RECEIPT}",)),
    Plant(
        "G1",
        "a completed purchase was not told",
        (COUNTED,),
        (f"update {COUNTED} set reported_known = 1 where kind = 'purchase-order'",),
    ),
    Plant(
        "L5",
        "a receipt was taken back of another article's line",
        (ENTRY,),
        (f"update {ENTRY} set reverses_entry_no = 1 where kind = 'receipt-reversal'",),
    ),
    Plant(
        "E5",
        "goods came in that nobody counted",
        (ENTRY, BOOKING),
        ("delete from bridge.booking where kind = 'purchase-order' and step = 1",),
    ),
    Plant(
        "X1",
        "a purchase that was placed has no process",
        (PROCESS,),
        (f"delete from {PROCESS} where kind = 'purchase-order'",),
    ),
)

PURCHASE_BOOKING, MATCH, CLAIM, LATE = "erp.purchase_booking", "erp.invoice_match", "erp.claim", "erp.late_cost"
SUPPLIER_INVOICES = (
    Plant(
        "G2",
        "an invoice cleared an öre more than it was booked for",
        (PURCHASE_BOOKING,),
        (f"update {PURCHASE_BOOKING} set cleared = cleared + 0.01, price = price - 0.01 where kind = 'match'",),
    ),
    Plant(
        "G2",
        "a receipt was booked on another account than its invoice",
        (POSTING_ROW,),
        (
            f"update {POSTING_ROW} r set account = 2999 from {POSTING} p where p.merchant_id = r.merchant_id"
            " and p.posting_no = r.posting_no and p.event = 'supplier-invoice-matched' and r.account = 2490",
        ),
    ),
    Plant("G3", "a claim is in no row", (CLAIM,), (f"delete from {CLAIM}",)),
    Plant("G3", "an invoice was matched for more than its row", (MATCH,), (f"update {MATCH} set price = price + 1",)),
    Plant("G3", "a late cost was dropped", (LATE,), (f"delete from {LATE} where document like 'landed-cost/%'",)),
    Plant(
        "G3",
        "an invoice was booked twice",
        (PURCHASE_BOOKING,),
        (
            f"insert into {PURCHASE_BOOKING} select merchant_id, document, 9, kind, purchase_order_number, version, account,"
            " value, cleared, rate, price, claimed, difference, exchange, claims_account, accounting_date, actor, reason,"
            f" transaction_no from {PURCHASE_BOOKING} where kind = 'match'",
        ),
    ),
    Plant(
        "G3",
        "an invoice is said to be booked and is not",
        ("erp.supplier_invoice",),
        ("update erp.supplier_invoice set state = 'waiting', booked_version = null",),
    ),
    Plant(
        "G4",
        "a late cost reached stock by half",
        (LATE,),
        (f"update {LATE} set to_stock = to_stock - 0.01, to_sold = to_sold + 0.01",),
    ),
    Plant("G4", "a late cost has no entry", (ENTRY,), (f"delete from {ENTRY} where kind = 'cost'",)),
)

_RUN = (
    "insert into erp.reconciliation_run (merchant_id, run_no, kind, for_date, request, source, settles, state, finished_at)"
    " values ('alfa', 1, 'daily', current_date, 'x', 'api', true, '{}', {})"
)
_DIFFERENCE = (
    "insert into erp.difference (merchant_id, run_no, comparison, article_number, warehouse, ours, theirs, read_at)"
    " values ('alfa', 1, 'physical', 'A', 'MAIN', 10, 7, now())"
)
RECONCILIATION = (
    Plant(
        "R1",
        "a difference is explained in part only",
        ("erp.difference", "erp.difference_part"),
        (
            _RUN.format("running", "null"),
            _DIFFERENCE,
            "insert into erp.difference_part (merchant_id, run_no, comparison, article_number, warehouse, part_no, why, quantity)"
            " values ('alfa', 1, 'physical', 'A', 'MAIN', 1, 'in-flight', -2)",
        ),
    ),
    Plant("R1", "a run has ended without a file", (), (_RUN.format("finished", "now()"),)),
    Plant(
        "R6",
        "a settlement was never booked",
        ("erp.reconciliation_booking",),
        (
            "insert into erp.reconciliation_booking (merchant_id, cause, what, article_number, warehouse, quantity, value,"
            " account, reason, transaction_no) values ('alfa', 'settlement/1', 'unknown', 'A', 'MAIN', -1, -10, 4991, 'x', 1)",
        ),
    ),
    Plant(
        "R6",
        "a correction of the warehouse was booked by half",
        (),
        (
            "insert into bridge.adjusted (merchant_id, inventory_id, article_id, warehouse_id, cause, up, article_number, booked,"
            " step, happened_at) values ('alfa', 100, 5001, 1, 'DMG', false, 'A', 2, 1, now())",
        ),
    ),
)

COSTING = (
    Plant(
        "C1",
        "stock was said to be costed by layers and was not",
        (TRANSACTION,),
        (f"update {TRANSACTION} set rule_version = 'fifo-1' where merchant_id = 'alfa'",),
    ),
    Plant(
        "C1",
        "a layer is left of stock that has none",
        (),
        ("insert into erp.stock_layer values ('alfa', 'A', 'MAIN', 1, 5, 5, 5)",),
    ),
    Plant(
        "C2",
        "stock at standard cost is worth something else",
        (),
        (
            'update bridge.merchant_settings set settings = settings || \'{"costing_method": "standard"}\''
            " where merchant_id = 'alfa'",
            "update erp.stock_balance set last_cost = 1 where merchant_id = 'alfa'",
        ),
    ),
    Plant(
        "C3",
        "a revaluation was never booked",
        (),
        (
            "insert into erp.revaluation values ('alfa', 7, 'x', current_date, '{}', 'x', 'y', 1)",
            "insert into erp.revaluation_line values ('alfa', 7, 1, 'A', 'MAIN', null, null, null, 10, 5, 3, 2, 1, null)",
        ),
    ),
)

PLANTS: tuple[Plant, ...] = (
    *COSTING,
    *COUNTERS,
    *RETURNS,
    *RECEIPTS,
    *SUPPLIER_INVOICES,
    *STOCK,
    *BOOKS,
    *RATES,
    *RECONCILIATION,
    *EVENTS,
    *ORDERS,
    *INVOICES,
    *CALLS,
    *GUARDS,
)
