"""Our PostgreSQL, table by table: what the ERP writes, what it reads back, and our plumbing. One file per subject.

Every table carries `merchant_id` first in its key, so that no foreign key can cross merchants and one row
level security policy fits them all. PostgreSQL lets NaN pass a plain `>= 0`, so every amount is bounded above too.

Triggers, roles, rights and policies are SQL and live in the migrations; `python -m starters.migrate check` compares
these tables with what they build.
"""

from erp.tables import bridge, buying, cards, costing, ledger, orders, reconciling, shipping
from erp.tables.columns import metadata

__all__ = ["bridge", "buying", "cards", "costing", "ledger", "metadata", "orders", "reconciling", "shipping"]
