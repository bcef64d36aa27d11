"""The books on disk: one SQLite file, committed before any answer leaves.

Documents are kept as the JSON text that a GET answers, beside the columns that lists filter and sort by. `before`
is the text as it was until the last change, for the fault that serves an old answer.

Searching: a substring search cannot use an ordinary index, but a value of the same length as the sought text can only
match by being equal. `term` is therefore ordered by length: equal length is a seek, and only longer values are scanned.
Fixed-length references are found at once however many there are.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS world (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS knob (tenant INTEGER, name TEXT, value TEXT NOT NULL, PRIMARY KEY (tenant, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS company (tenant INTEGER PRIMARY KEY, body TEXT NOT NULL, locked_until TEXT);
CREATE TABLE IF NOT EXISTS consent (
  tenant INTEGER, client_id TEXT, client_secret TEXT NOT NULL, scopes TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1,
  epoch INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (tenant, client_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS code (
  code TEXT PRIMARY KEY, tenant INTEGER, client_id TEXT, redirect_uri TEXT, scopes TEXT, expires REAL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refresh (
  token TEXT PRIMARY KEY, tenant INTEGER, client_id TEXT, scopes TEXT, expires REAL, used REAL, replaced_by TEXT,
  dead INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS year (
  tenant INTEGER, id INTEGER, from_date TEXT NOT NULL, to_date TEXT NOT NULL, method TEXT NOT NULL, chart TEXT NOT NULL,
  PRIMARY KEY (tenant, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS account (
  tenant INTEGER, year INTEGER, number INTEGER, description TEXT NOT NULL, active INTEGER NOT NULL DEFAULT 1,
  opening INTEGER NOT NULL DEFAULT 0, moved INTEGER NOT NULL DEFAULT 0, sru INTEGER NOT NULL DEFAULT 0,
  vat_code TEXT NOT NULL DEFAULT '',
  cost_center TEXT NOT NULL DEFAULT '', project TEXT NOT NULL DEFAULT '', information TEXT NOT NULL DEFAULT '',
  cost_center_rule TEXT NOT NULL DEFAULT 'ALLOWED', project_rule TEXT NOT NULL DEFAULT 'ALLOWED',
  information_rule TEXT NOT NULL DEFAULT 'ALLOWED', modified TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (tenant, year, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS series (
  tenant INTEGER, year INTEGER, code TEXT, description TEXT NOT NULL, manual INTEGER NOT NULL, next INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (tenant, year, code)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS predefined (
  tenant INTEGER, kind TEXT, name TEXT, value TEXT NOT NULL, PRIMARY KEY (tenant, kind, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS voucher (
  tenant INTEGER, year INTEGER, series TEXT, number INTEGER, date TEXT NOT NULL, reference_type TEXT NOT NULL,
  reference TEXT NOT NULL, cost_center TEXT NOT NULL, body TEXT NOT NULL, brief TEXT NOT NULL, modified TEXT NOT NULL,
  created REAL NOT NULL, changed REAL NOT NULL, before TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS voucher_identity ON voucher (tenant, year, series, number);
CREATE TABLE IF NOT EXISTS invoice (
  tenant INTEGER, number INTEGER, customer TEXT NOT NULL, customer_name TEXT NOT NULL, date TEXT NOT NULL, due TEXT, paid TEXT,
  booked INTEGER NOT NULL, cancelled INTEGER NOT NULL, not_completed INTEGER NOT NULL,
  sent INTEGER NOT NULL, credit INTEGER NOT NULL,
  type TEXT NOT NULL, currency TEXT NOT NULL, net INTEGER NOT NULL, vat INTEGER NOT NULL, total INTEGER NOT NULL,
  balance INTEGER NOT NULL,
  ocr TEXT NOT NULL, reference TEXT NOT NULL, vat_type TEXT NOT NULL, row_ids INTEGER NOT NULL, voucher TEXT,
  body TEXT NOT NULL, brief TEXT NOT NULL, modified TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL, before TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS invoice_identity ON invoice (tenant, number);
CREATE INDEX IF NOT EXISTS invoice_customer ON invoice (tenant, customer);
CREATE INDEX IF NOT EXISTS invoice_changed ON invoice (tenant, changed);
CREATE TABLE IF NOT EXISTS payment (
  tenant INTEGER, number INTEGER, invoice INTEGER NOT NULL, date TEXT NOT NULL, booked INTEGER NOT NULL, body TEXT NOT NULL,
  brief TEXT NOT NULL, modified TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL, before TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS payment_identity ON payment (tenant, number);
CREATE INDEX IF NOT EXISTS payment_invoice ON payment (tenant, invoice);
CREATE TABLE IF NOT EXISTS card (
  tenant INTEGER, kind TEXT, key TEXT, active INTEGER NOT NULL DEFAULT 1, body TEXT NOT NULL, brief TEXT NOT NULL,
  modified TEXT NOT NULL, created REAL NOT NULL, changed REAL NOT NULL, before TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS card_identity ON card (tenant, kind, key);
CREATE TABLE IF NOT EXISTS gone (tenant INTEGER, kind TEXT, key TEXT, PRIMARY KEY (tenant, kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS used (tenant INTEGER, kind TEXT, key TEXT, PRIMARY KEY (tenant, kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS term (
  tenant INTEGER, kind TEXT, field TEXT, size INTEGER, value TEXT, doc TEXT,
  PRIMARY KEY (tenant, kind, field, size, value, doc)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS term_doc ON term (tenant, kind, doc);
CREATE TABLE IF NOT EXISTS counter (
  tenant INTEGER, kind TEXT, key TEXT, value INTEGER NOT NULL, PRIMARY KEY (tenant, kind, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fault (
  position INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, body TEXT NOT NULL,
  seen INTEGER NOT NULL DEFAULT 0, fired INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS log (
  n INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, real REAL NOT NULL, tenant INTEGER, client TEXT, method TEXT NOT NULL,
  path TEXT NOT NULL,
  route TEXT NOT NULL, status INTEGER, fault TEXT, kind TEXT, wrote TEXT NOT NULL, applied INTEGER NOT NULL,
  late INTEGER NOT NULL,
  refused429 INTEGER NOT NULL, arrived_as INTEGER);
"""


class Store:
    """The SQLite file, used from one thread only."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._db = sqlite3.connect(path, isolation_level=None, cached_statements=512)
        self._db.row_factory = sqlite3.Row
        # NORMAL keeps every commit across kill -9; only a power cut could take the last ones.
        self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536;" + SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Inside a transaction: what is refused leaves nothing behind, the rest of the transaction stands."""
        self._db.execute("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO attempt")
            self._db.execute("RELEASE attempt")
            raise
        self._db.execute("RELEASE attempt")

    def one(self, sql: str, *args: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, args).fetchone()
        return row

    def value(self, sql: str, *args: Any) -> Any:
        row = self._db.execute(sql, args).fetchone()
        return row[0] if row else None

    def all(self, sql: str, *args: Any) -> list[sqlite3.Row]:
        return self._db.execute(sql, args).fetchall()

    def run(self, sql: str, *args: Any) -> int:
        """Execute and return how many rows it touched."""
        return self._db.execute(sql, args).rowcount

    def run_many(self, sql: str, rows: Iterable[tuple[Any, ...]]) -> None:
        self._db.executemany(sql, rows)

    def last_id(self) -> int:
        return int(self.value("SELECT last_insert_rowid()"))

    def next_number(self, tenant: int, kind: str, key: str = "") -> int:
        """Draw the next number of a series that starts at 1."""
        return int(
            self.value(
                "INSERT INTO counter VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET value = value + 1 RETURNING value",
                tenant,
                kind,
                key,
            )
        )

    def index(self, tenant: int, kind: str, doc: str, terms: dict[str, Any]) -> None:
        """Make a document findable by these values, and by no older ones."""
        self._db.execute("DELETE FROM term WHERE tenant = ? AND kind = ? AND doc = ?", (tenant, kind, doc))
        found = {name: str(value).casefold() for name, value in terms.items() if value not in (None, "")}
        self._db.executemany(
            "INSERT INTO term VALUES (?, ?, ?, ?, ?, ?)",
            [(tenant, kind, name, len(value), value, doc) for name, value in found.items()],
        )

    def copy_to(self, path: str) -> None:
        target = sqlite3.connect(path)
        with target:
            self._db.backup(target)
        target.close()

    def copy_from(self, path: str) -> None:
        source = sqlite3.connect(path)
        source.backup(self._db)
        source.close()

    def close(self) -> None:
        self._db.close()
