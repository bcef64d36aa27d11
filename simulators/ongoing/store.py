"""The warehouse's database: one SQLite file, committed before anything is answered.

The stock figures of an article (booked, allocated, to be collected, ...) are kept current by triggers
on the order and purchase order lines, so every path that changes a line keeps them true and reading
ten thousand articles adds nothing up. `changed_at` moves only when a stock figure moves; a report does
not move it.

The conditions of the partial indexes put the column first (`picked > coalesce(...)`), in the index and in the queries:
written the other way round SQLite does not recognise them and reads every line.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE moment (one INTEGER PRIMARY KEY CHECK (one = 1), now INTEGER NOT NULL);
INSERT INTO moment VALUES (1, 0);

CREATE TABLE goods_owner (
  id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, username TEXT NOT NULL, password TEXT NOT NULL,
  UNIQUE (tenant, username));
CREATE TABLE code (
  id INTEGER PRIMARY KEY AUTOINCREMENT, goods_owner INTEGER NOT NULL, kind TEXT NOT NULL, code TEXT NOT NULL, name TEXT,
  comment TEXT, UNIQUE (goods_owner, kind, code));

CREATE TABLE article (
  id INTEGER PRIMARY KEY AUTOINCREMENT, goods_owner INTEGER NOT NULL, number TEXT NOT NULL, document TEXT NOT NULL,
  name TEXT, product_code TEXT, supplier_number TEXT, is_stock INTEGER NOT NULL, is_obsolete INTEGER NOT NULL,
  kind TEXT, stock_limit INTEGER, valuation TEXT NOT NULL, data_updated_at INTEGER NOT NULL, last_in_at INTEGER,
  rendered TEXT NOT NULL, in_order TEXT NOT NULL, in_purchase TEXT NOT NULL,
  UNIQUE (goods_owner, number));
CREATE INDEX article_paging ON article (goods_owner, id);
CREATE INDEX article_updated ON article (goods_owner, data_updated_at);
CREATE TABLE bar_code (article_id INTEGER NOT NULL, code TEXT NOT NULL, PRIMARY KEY (code, article_id)) WITHOUT ROWID;
CREATE TABLE article_class (article_id INTEGER NOT NULL, class_id INTEGER NOT NULL,
  PRIMARY KEY (article_id, class_id)) WITHOUT ROWID;
CREATE TABLE component (
  article_id INTEGER NOT NULL, position INTEGER NOT NULL, component_id INTEGER NOT NULL, quantity INTEGER NOT NULL,
  PRIMARY KEY (article_id, position)) WITHOUT ROWID;

CREATE TABLE stock (
  id INTEGER PRIMARY KEY AUTOINCREMENT, article_id INTEGER NOT NULL, warehouse_id INTEGER NOT NULL,
  physical INTEGER NOT NULL DEFAULT 0 CHECK (physical >= 0), locked INTEGER NOT NULL DEFAULT 0,
  booked INTEGER NOT NULL DEFAULT 0, allocated INTEGER NOT NULL DEFAULT 0, left_to_allocate INTEGER NOT NULL DEFAULT 0,
  to_collect INTEGER NOT NULL DEFAULT 0, untaken INTEGER NOT NULL DEFAULT 0,
  picked_to_report INTEGER NOT NULL DEFAULT 0, returned_to_report INTEGER NOT NULL DEFAULT 0,
  to_receive INTEGER NOT NULL DEFAULT 0, to_finish INTEGER NOT NULL DEFAULT 0, received_to_report INTEGER NOT NULL DEFAULT 0,
  changed_at INTEGER NOT NULL,
  UNIQUE (article_id, warehouse_id));
CREATE INDEX stock_changed ON stock (changed_at);
CREATE TABLE stock_movement (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, article_id INTEGER NOT NULL, warehouse_id INTEGER NOT NULL,
  quantity INTEGER NOT NULL);
CREATE INDEX stock_movement_at ON stock_movement (article_id, at);

CREATE TABLE sales_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT, goods_owner INTEGER NOT NULL, number TEXT NOT NULL, status INTEGER NOT NULL,
  document TEXT NOT NULL, info TEXT NOT NULL, rest TEXT NOT NULL, warehouse_id INTEGER NOT NULL, address_id INTEGER NOT NULL,
  reference_number TEXT, market_place TEXT, way_bill TEXT, return_way_bill TEXT, back_order_for INTEGER, shipment_id INTEGER,
  transport_printed INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, status_changed_at INTEGER NOT NULL, visible_at INTEGER NOT NULL,
  shipped_at INTEGER, last_picked_at INTEGER, last_returned_at INTEGER,
  auto_step INTEGER NOT NULL DEFAULT 0);
CREATE INDEX order_number ON sales_order (goods_owner, number);
CREATE INDEX order_paging ON sales_order (goods_owner, id);
CREATE INDEX order_status ON sales_order (goods_owner, status);
CREATE INDEX order_updated ON sales_order (goods_owner, updated_at);
CREATE INDEX order_status_changed ON sales_order (goods_owner, status_changed_at);
CREATE INDEX order_created ON sales_order (goods_owner, created_at);
CREATE INDEX order_shipped ON sales_order (goods_owner, shipped_at) WHERE shipped_at IS NOT NULL;
CREATE INDEX order_picked ON sales_order (goods_owner, last_picked_at) WHERE last_picked_at IS NOT NULL;
CREATE INDEX order_returned ON sales_order (goods_owner, last_returned_at) WHERE last_returned_at IS NOT NULL;
CREATE INDEX order_reference ON sales_order (goods_owner, reference_number) WHERE reference_number IS NOT NULL;
CREATE INDEX order_back_order ON sales_order (back_order_for) WHERE back_order_for IS NOT NULL;

CREATE TABLE order_line (
  id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL, row_number TEXT NOT NULL, position INTEGER NOT NULL,
  article_id INTEGER NOT NULL, warehouse_id INTEGER NOT NULL, parent_id INTEGER, per_parent INTEGER,
  serial TEXT, batch TEXT, fixed TEXT NOT NULL,
  moves INTEGER NOT NULL, reserves INTEGER NOT NULL, uncollected INTEGER NOT NULL,
  ordered INTEGER NOT NULL, allocated INTEGER NOT NULL DEFAULT 0, picked INTEGER NOT NULL DEFAULT 0,
  packed INTEGER NOT NULL DEFAULT 0, returned INTEGER NOT NULL DEFAULT 0, taken INTEGER NOT NULL DEFAULT 0,
  reported INTEGER, reported_returned INTEGER);
CREATE INDEX line_order ON order_line (order_id, position);
CREATE INDEX line_article ON order_line (article_id, order_id);
CREATE INDEX line_to_report ON order_line (order_id) WHERE moves AND picked > coalesce(reported, 0);
CREATE INDEX line_to_report_returned ON order_line (order_id) WHERE moves AND returned > coalesce(reported_returned, 0);

CREATE TABLE picked_item (
  id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL, line_id INTEGER NOT NULL, quantity INTEGER NOT NULL,
  in_date INTEGER NOT NULL, serial TEXT NOT NULL, batch TEXT NOT NULL, location TEXT NOT NULL,
  picked_at INTEGER NOT NULL, packed_at INTEGER, returned_at INTEGER, return_cause TEXT,
  removed_by_inventory INTEGER NOT NULL DEFAULT 0,
  parcel_id INTEGER, return_line_id INTEGER);
CREATE INDEX picked_item_order ON picked_item (order_id, line_id);
CREATE INDEX picked_item_serial ON picked_item (serial) WHERE serial <> '';
CREATE TABLE parcel (
  id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL, number TEXT NOT NULL, is_return INTEGER NOT NULL,
  waybill TEXT, tracking_url TEXT);
CREATE INDEX parcel_order ON parcel (order_id);
CREATE INDEX parcel_number ON parcel (number);
CREATE TABLE tracking (
  id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL, waybill TEXT NOT NULL, tracking_url TEXT,
  is_return INTEGER NOT NULL, created_at INTEGER NOT NULL, UNIQUE (order_id, waybill, is_return));

CREATE TABLE purchase_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT, goods_owner INTEGER NOT NULL, number TEXT NOT NULL, status INTEGER NOT NULL,
  document TEXT NOT NULL, warehouse_id INTEGER NOT NULL, in_date INTEGER,
  created_at INTEGER NOT NULL, status_changed_at INTEGER NOT NULL, last_received_at INTEGER,
  UNIQUE (goods_owner, number));
CREATE INDEX purchase_paging ON purchase_order (goods_owner, id);
CREATE INDEX purchase_status ON purchase_order (goods_owner, status);
CREATE INDEX purchase_status_changed ON purchase_order (goods_owner, status_changed_at);
CREATE TABLE purchase_line (
  id INTEGER PRIMARY KEY AUTOINCREMENT, purchase_order_id INTEGER NOT NULL, row_number TEXT NOT NULL, position INTEGER NOT NULL,
  article_id INTEGER NOT NULL, warehouse_id INTEGER NOT NULL, fixed TEXT NOT NULL, batch TEXT, serial TEXT,
  moves INTEGER NOT NULL, expected INTEGER NOT NULL, unfinished INTEGER NOT NULL,
  advised INTEGER NOT NULL, received INTEGER NOT NULL DEFAULT 0, reported INTEGER);
CREATE INDEX purchase_line_order ON purchase_line (purchase_order_id, position);
CREATE INDEX purchase_line_article ON purchase_line (article_id, purchase_order_id);
CREATE INDEX purchase_line_to_report ON purchase_line (purchase_order_id) WHERE received <> coalesce(reported, 0);
CREATE TABLE received_item (
  id INTEGER PRIMARY KEY AUTOINCREMENT, purchase_order_id INTEGER NOT NULL, line_id INTEGER NOT NULL, quantity INTEGER NOT NULL,
  in_date INTEGER NOT NULL, serial TEXT NOT NULL, batch TEXT NOT NULL, location TEXT NOT NULL, expires_at INTEGER);
CREATE INDEX received_item_order ON received_item (purchase_order_id, line_id);

CREATE TABLE return_order (
  id INTEGER PRIMARY KEY AUTOINCREMENT, goods_owner INTEGER NOT NULL, number TEXT NOT NULL, order_id INTEGER NOT NULL,
  status INTEGER NOT NULL, document TEXT NOT NULL, warehouse_id INTEGER NOT NULL,
  created_at INTEGER NOT NULL, status_changed_at INTEGER NOT NULL, last_returned_at INTEGER,
  UNIQUE (goods_owner, number));
CREATE INDEX return_of_order ON return_order (order_id);
CREATE TABLE return_line (
  id INTEGER PRIMARY KEY AUTOINCREMENT, return_order_id INTEGER NOT NULL, row_number TEXT NOT NULL, position INTEGER NOT NULL,
  order_line_id INTEGER NOT NULL, to_be_returned INTEGER NOT NULL, cause TEXT,
  returned INTEGER NOT NULL DEFAULT 0, removed INTEGER NOT NULL DEFAULT 0);
CREATE INDEX return_line_order ON return_line (return_order_id, position);

CREATE TABLE inventory (id INTEGER PRIMARY KEY AUTOINCREMENT, goods_owner INTEGER NOT NULL, comment TEXT NOT NULL);
CREATE TABLE adjustment (
  id INTEGER PRIMARY KEY AUTOINCREMENT, inventory_id INTEGER NOT NULL, goods_owner INTEGER NOT NULL, article_id INTEGER NOT NULL,
  warehouse_id INTEGER NOT NULL, quantity INTEGER NOT NULL, at INTEGER NOT NULL, item_comment TEXT NOT NULL, cause TEXT,
  location TEXT NOT NULL, batch TEXT NOT NULL, serial TEXT NOT NULL,
  article_item_id INTEGER NOT NULL, is_reported INTEGER NOT NULL DEFAULT 0);
CREATE INDEX adjustment_at ON adjustment (goods_owner, at);
CREATE INDEX adjustment_inventory ON adjustment (inventory_id);

CREATE TABLE auto (goods_owner INTEGER PRIMARY KEY, settings TEXT NOT NULL);
CREATE TABLE webhook (
  id INTEGER PRIMARY KEY AUTOINCREMENT, goods_owner INTEGER NOT NULL, type TEXT NOT NULL, url TEXT NOT NULL, token TEXT,
  retry_policy TEXT NOT NULL, enabled INTEGER NOT NULL, statuses TEXT, events TEXT, UNIQUE (goods_owner, type));
CREATE TABLE webhook_call (
  id INTEGER PRIMARY KEY AUTOINCREMENT, webhook_id INTEGER NOT NULL, event_id INTEGER NOT NULL, body TEXT NOT NULL,
  created_at INTEGER NOT NULL, due_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL,
  last_status INTEGER, number TEXT);
CREATE INDEX webhook_call_due ON webhook_call (due_at, id) WHERE state = 'waiting';
CREATE TABLE fault (
  position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, rule TEXT NOT NULL, matched INTEGER NOT NULL DEFAULT 0,
  fired INTEGER NOT NULL DEFAULT 0);
CREATE TABLE request_log (
  n INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, route TEXT, status INTEGER,
  fault TEXT, kind TEXT, object_id INTEGER, number TEXT, applied INTEGER NOT NULL, late INTEGER NOT NULL, applied_at INTEGER);
CREATE INDEX request_log_route ON request_log (route, n);
"""

# First numbers as a warehouse in use has them; each kind apart, so that an ID in the wrong place finds nothing.
_FIRST_IDS = {
    "article": 5000,
    "sales_order": 90000,
    "order_line": 700000,
    "picked_item": 59000,
    "parcel": 600,
    "purchase_order": 4400,
    "purchase_line": 8800,
    "received_item": 77000,
    "return_order": 10300,
    "return_line": 20500,
    "inventory": 100,
    "code": 3300,
    "stock": 40000,
    "webhook": 10,
    "webhook_call": 4550000,
}

# What one order line adds to the figures of its article. A line that moves no goods adds nothing.
_LINE_SHARES = {
    "booked": "{r}.moves * {r}.reserves * max(0, {r}.ordered - {r}.picked)",
    "allocated": "{r}.moves * max(0, {r}.allocated - {r}.picked)",
    "left_to_allocate": "{r}.moves * {r}.reserves * max(0, {r}.ordered - {r}.allocated)",
    "to_collect": "{r}.moves * {r}.uncollected * {r}.picked",
    "untaken": "{r}.moves * ({r}.picked - {r}.taken)",
}
_LINE_REPORTS = {
    "picked_to_report": "{r}.moves * ({r}.picked - coalesce({r}.reported, 0))",
    "returned_to_report": "{r}.moves * ({r}.returned - coalesce({r}.reported_returned, 0))",
}
_PURCHASE_SHARES = {
    "to_receive": "{r}.moves * {r}.expected * max(0, {r}.advised - {r}.received)",
    "to_finish": "{r}.moves * {r}.unfinished * {r}.received",
}
_PURCHASE_REPORTS = {"received_to_report": "{r}.moves * ({r}.received - coalesce({r}.reported, 0))"}


def _triggers(table: str, shares: dict[str, str], share_columns: str, reports: dict[str, str], report_columns: str) -> str:
    def change(columns: dict[str, str], sign: str, row: str) -> str:
        return ", ".join(f"{name} = {name} {sign} ({share.format(r=row)})" for name, share in columns.items())

    def difference(columns: dict[str, str]) -> str:
        return ", ".join(
            f"{name} = {name} + ({share.format(r='NEW')}) - ({share.format(r='OLD')})" for name, share in columns.items()
        )

    of_new = "WHERE article_id = NEW.article_id AND warehouse_id = NEW.warehouse_id"
    of_old = "WHERE article_id = OLD.article_id AND warehouse_id = OLD.warehouse_id"
    now = "changed_at = (SELECT now FROM moment)"
    both = {**shares, **reports}
    return f"""
CREATE TRIGGER {table}_added AFTER INSERT ON {table} WHEN NEW.moves BEGIN
  UPDATE stock SET {change(both, "+", "NEW")}, {now} {of_new}; END;
CREATE TRIGGER {table}_removed AFTER DELETE ON {table} WHEN OLD.moves BEGIN
  UPDATE stock SET {change(both, "-", "OLD")}, {now} {of_old}; END;
CREATE TRIGGER {table}_changed AFTER UPDATE OF {share_columns} ON {table} BEGIN
  UPDATE stock SET {difference(shares)}, {now} {of_new}; END;
CREATE TRIGGER {table}_reported AFTER UPDATE OF {report_columns} ON {table} BEGIN
  UPDATE stock SET {difference(reports)} {of_new}; END;
"""


_SCHEMA = (
    _TABLES
    + _triggers(
        "order_line",
        _LINE_SHARES,
        "moves, reserves, uncollected, ordered, allocated, picked, taken",
        _LINE_REPORTS,
        "moves, picked, reported, returned, reported_returned",
    )
    + _triggers(
        "purchase_line",
        _PURCHASE_SHARES,
        "moves, expected, unfinished, advised, received",
        _PURCHASE_REPORTS,
        "moves, received, reported",
    )
    + """
CREATE TRIGGER stock_moved AFTER UPDATE OF physical ON stock WHEN NEW.physical <> OLD.physical BEGIN
  INSERT INTO stock_movement (at, article_id, warehouse_id, quantity)
    VALUES ((SELECT now FROM moment), NEW.article_id, NEW.warehouse_id, NEW.physical - OLD.physical);
  UPDATE stock SET changed_at = (SELECT now FROM moment) WHERE id = NEW.id; END;
"""
)


def open_store(path: Path) -> sqlite3.Connection:
    """Open the file, and lay the schema when it is new. A kill between two answers loses nothing that was answered."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, cached_statements=512)
    db.row_factory = sqlite3.Row
    db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY;")
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'setting'").fetchone():
        first_ids = "".join(f"INSERT INTO sqlite_sequence VALUES ('{table}', {first});" for table, first in _FIRST_IDS.items())
        db.executescript(f"BEGIN; {_SCHEMA} {first_ids} COMMIT;")
    return db


@contextmanager
def transaction(db: sqlite3.Connection, now: int) -> Iterator[None]:
    """Everything inside happens, or nothing does."""
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("UPDATE moment SET now = ?", (now,))
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
