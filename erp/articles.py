"""Articles as they are sent to the warehouse."""

import hashlib
from dataclasses import astuple, dataclass
from decimal import Decimal

from sqlalchemy import text

from erp.database import Session, rows


@dataclass(frozen=True, slots=True)
class ArticleDocument:
    """An article whole, as the ERP has it."""

    article_number: str
    name: str
    stock_article: bool
    unit: str
    bar_code: str | None
    article_group: str | None
    weight: Decimal | None
    length: Decimal | None
    width: Decimal | None
    height: Decimal | None
    country_of_origin: str | None
    customs_number: str | None
    quantity_per_package: int | None
    purchase_price: Decimal | None
    active: bool
    version: int

    @property
    def hash(self) -> str:
        """The same as long as nothing that is sent has changed."""
        return hashlib.sha256(repr(astuple(self)[:-1]).encode()).hexdigest()[:32]


_ARTICLES = text(
    """
    select article_number, name, stock_article, unit, bar_code, article_group, weight, length, width, height, country_of_origin,
      customs_number, quantity_per_package, purchase_price, active, version
    from erp.article where merchant_id = :merchant and article_number = any(cast(:numbers as text[])) order by article_number
    """
)
_STOCK = text(
    """
    select article_number, stock_article from erp.article
    where merchant_id = :merchant and article_number = any(cast(:numbers as text[]))
    """
)


async def load_articles(connection: Session, merchant: str, numbers: list[str]) -> list[ArticleDocument]:
    """The articles that the ERP has of these, in number order."""
    return [ArticleDocument(**r._mapping) for r in await rows(connection, _ARTICLES, merchant=merchant, numbers=numbers)]


async def stock_articles(connection: Session, merchant: str, numbers: list[str]) -> dict[str, bool]:
    """Which of these the ERP has, and whether they are kept in stock."""
    found = await rows(connection, _STOCK, merchant=merchant, numbers=numbers)
    return {r.article_number: r.stock_article for r in found}
