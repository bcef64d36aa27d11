"""One SQLite file: named values, quotes made by hand, faults and the log. Committed before anything is answered."""

import json
import sqlite3
from pathlib import Path
from typing import Any

_TABLES = """
create table if not exists setting (name text primary key, value text not null);
create table if not exists quote (bank text, currency text, day text, value text, primary key (bank, currency, day));
create table if not exists fault (id text primary key, body text not null, seen integer not null default 0,
  fired integer not null default 0);
create table if not exists log (n integer primary key, at text, method text, path text, status integer, fault text);
"""


class Store:
    """The file. Every statement commits by itself."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("pragma journal_mode = wal")
        self._db.executescript(_TABLES)

    def run(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """Run a statement; returns what it found."""
        return self._db.execute(statement, values).fetchall()

    def read(self, name: str, default: Any) -> Any:
        found = self.run("select value from setting where name = ?", name)
        return json.loads(found[0]["value"]) if found else default

    def write(self, name: str, value: Any) -> None:
        self.run("insert or replace into setting values (?, ?)", name, json.dumps(value))
