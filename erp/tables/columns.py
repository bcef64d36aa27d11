"""Column types, checks and keys that tables share.

Quantities have 4 decimals, values 2 (the books of a merchant are kept in a currency with two), unit prices 6.
"""

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKeyConstraint, MetaData, Numeric, Sequence, Text, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

QUANTITY = Numeric(18, 4)
VALUE = Numeric(20, 2)
PRICE = Numeric(18, 6)
RATE = Numeric(18, 8)
PERCENT = Numeric(5, 2)
NOW = text("now()")

LARGEST_QUANTITY = 10_000_000
LARGEST_PRICE = 100_000_000

LOOK_NO = Sequence("look_no", schema="bridge", metadata=metadata, cache=1)
BASIS_NO = Sequence("basis_no", schema="erp", metadata=metadata, cache=1)


def merchant() -> Column[str]:
    return Column("merchant_id", Text, nullable=False)


def key(name: str, nullable: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable)


def instant(name: str, nullable: bool = False, default: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=NOW if default else None)


def printable(*names: str, most: int = 50) -> list[CheckConstraint]:
    """Keys that travel: no control characters, no blanks at the ends, not too long for the other systems."""
    return [
        CheckConstraint(
            f"{name} ~ '^[^[:cntrl:]]+$' AND {name} = btrim({name}) AND length({name}) <= {most}", name=f"{name}_is_printable"
        )
        for name in names
    ]


def between(name: str, low: str, high: str) -> CheckConstraint:
    return CheckConstraint(f"{name} >= {low} AND {name} <= {high}", name=f"{name}_in_range")


def numbers(*names: str, most: str = "1000000000000") -> CheckConstraint:
    """No NaN and nothing absurd: PostgreSQL sorts NaN above every number, so an upper bound keeps it out."""
    return CheckConstraint(" AND ".join(f"abs({name}) <= {most}" for name in names), name=f"{names[0]}_is_a_number")


def of_merchant() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["merchant_id"], ["erp.merchant.merchant_id"])


def known(column: str, words: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({','.join(repr(word) for word in words)})", name=f"{column}_is_known")
