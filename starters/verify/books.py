"""The value ledger: V1 to V4 and V6."""

import random
from decimal import Decimal

from sqlalchemy import Numeric, text
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.money import rounded
from erp.database import rows
from erp.tables import metadata
from starters.verify.check import Check, Found, Probe, Stage, Violation

_COLUMNS = text(
    """
    select n.nspname || '.' || c.relname as table_name, a.attname as column_name, format_type(a.atttypid, a.atttypmod) as type
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('erp', 'bridge') and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
    """
)
_ROUND = text(
    """
    select amount, places, round(amount, places) as rounded
    from unnest(cast(:amounts as numeric[]), cast(:places as int[])) as n(amount, places)
    """
)
TRIALS = 2000


async def number_rule(connection: AsyncConnection, merchant: str | None) -> Found:
    """No column holds a float, and every number has the scale that the tables of the code declare."""
    types = {(row.table_name, row.column_name): row.type for row in await rows(connection, _COLUMNS)}
    wrong = [
        Violation("", f"{table}.{column}", f"is {type_}")
        for (table, column), type_ in types.items()
        if type_ in ("real", "double precision", "money")
    ]
    numbers = 0
    for table in metadata.tables.values():
        for column in table.columns:
            if not isinstance(column.type, Numeric):
                continue
            numbers += 1
            scale = f"({column.type.precision},{column.type.scale})" if column.type.precision else ""
            held = types.get((table.fullname, column.name), "missing")
            if held != f"numeric{scale}":
                wrong.append(Violation("", f"{table.fullname}.{column.name}", f"is {held}, declared is numeric{scale}"))
    return Found.of(numbers, wrong)


async def one_rounding_rule(connection: AsyncConnection, merchant: str | None) -> Found:
    """PostgreSQL and Python round alike: tried on amounts of every size, half of them exactly between two."""
    rng = random.Random(4)
    amounts, places = [], []
    for n in range(TRIALS):
        digits = rng.randint(0, 6)
        whole = Decimal(rng.randint(-(10 ** rng.randint(1, 14)), 10 ** rng.randint(1, 14)))
        rest = Decimal(5).scaleb(-digits - 1) if n % 2 else Decimal(rng.randint(0, 10**9)).scaleb(-9)
        amounts.append(whole.scaleb(-digits) + rest)
        places.append(digits)
    found = await rows(connection, _ROUND, amounts=amounts, places=places)
    wrong = [
        Violation("", f"{row.amount} to {row.places} decimals", f"PostgreSQL {row.rounded}, Python {python}")
        for row in found
        if row.rounded != (python := rounded(row.amount, row.places))
    ]
    return Found.of(len(found), wrong)


CHECKS: list[Check | Probe] = [
    Probe("V1", "Amounts are decimals with the declared scale; no column holds a float", Stage.ALWAYS, number_rule),
    Check(
        "V2",
        "A posting has two rows or more, debit equals credit, in the books' currency, and is what its stock entries are worth",
        Stage.BOOKED,
        "select merchant_id, count(*) as n from erp.posting group by 1",
        """
        with sums as (
          select merchant_id, posting_no, count(*) as n, sum(debit) as debit, sum(credit) as credit,
            max(account) filter (where debit > 0) as debited, max(account) filter (where credit > 0) as credited
          from erp.posting_row group by 1, 2),
        stock as (
          select merchant_id, posting_no, sum(value) as value from erp.stock_entry
          where posting_no is not null and not (kind = 'cost' and document not like 'revaluation/%') group by 1, 2),
        sides as materialized (
          select merchant_id, case when k.value > 0 then s.debited else s.credited end as stock_side,
            case when k.value > 0 then s.credited else s.debited end as other_side, count(*) as n
          from stock k join sums s using (merchant_id, posting_no) where s.n = 2 group by 1, 2, 3)
        select merchant_id, 'posting ' || posting_no as document,
          coalesce(s.n, 0) || ' rows, debit ' || coalesce(s.debit, 0) || ', credit ' || coalesce(s.credit, 0)
          || case when p.posting_no is null then ', rows without a posting' else '' end as detail
        from (select merchant_id, posting_no from erp.posting) p full join sums s using (merchant_id, posting_no)
        where p.posting_no is null or s.n is null or s.n < 2 or s.debit <> s.credit
        union all
        select merchant_id, 'posting ' || p.posting_no, 'is in ' || p.currency || ', the books are in ' || m.currency
        from erp.posting p join erp.merchant m using (merchant_id) where p.currency <> m.currency
        union all
        select merchant_id, 'posting ' || posting_no,
          'books ' || coalesce(s.debit::text, 'nothing') || ', its stock entries are worth ' || coalesce(k.value::text, 'nothing')
        from (select merchant_id, posting_no from erp.posting where event in
                ('goods-issue', 'goods-issue-reversed', 'goods-transferred', 'goods-transferred-reversed', 'cost-settled',
                 'opening-balance', 'goods-received', 'goods-receipt-undone', 'goods-returned', 'goods-return-undone',
                 'goods-scrapped', 'goods-scrap-undone', 'stock-adjusted', 'stock-revalued', 'price-difference',
                 'supplier-return')) as p
        full join stock k using (merchant_id, posting_no) left join sums s using (merchant_id, posting_no)
        where p.posting_no is null or k.value is null or s.debit is distinct from abs(k.value)
        union all
        select merchant_id, 'transaction ' || transaction_no,
          kind || ' entries worth ' || sum(value) || ' without a posting'
        from erp.stock_entry where posting_no is null group by merchant_id, transaction_no, kind having sum(value) <> 0
        union all
        select a.merchant_id, 'account ' || a.stock_side,
          'is the stock side of ' || a.n || ' postings and the other side of ' || b.n
        from sides a join sides b on b.merchant_id = a.merchant_id and b.other_side = a.stock_side
        """,
    ),
    Check(
        "V3",
        "Value follows quantity: an issue takes its share of the pool to half an öre, the last piece the rest; empty is worth 0",
        Stage.BOOKED,
        """
        select merchant_id, count(*) as n from erp.stock_entry join erp.ledger_transaction using (merchant_id, transaction_no)
        where rule_version like 'moving-average-%' group by 1
        """,
        """
        with replay as (
          select merchant_id, entry_no, article_number, warehouse, kind, quantity, value, epoch, keep,
            coalesce(sum(quantity) over before, 0) as q, coalesce(sum(value) over before, 0) as v,
            coalesce(lag(keep) over place, 1) as kept, coalesce(lag(epoch) over place, 1) as former_epoch,
            lead(entry_no) over place as next_entry,
            lead(kind) over place is distinct from 'true-up' and kind not in ('return-scrapped', 'scrap-reversal') as whole,
            rule_version
          from erp.stock_entry join erp.ledger_transaction using (merchant_id, transaction_no)
          window place as (partition by merchant_id, article_number collate "C", warehouse order by entry_no),
            before as (place rows between unbounded preceding and 1 preceding))
        select merchant_id, 'entry ' || entry_no || ' (' || article_number || ')' as document,
          case
            when kind = 'pick' and -quantity < q and abs(value * q - v * quantity) > 0.005 * q
              then 'took ' || -value || ' for ' || -quantity || ' of ' || q || ' worth ' || v
            when kind = 'pick' and -quantity = q and value <> -v then 'took ' || -value || ' with the last of a pool worth ' || v
            when kind = 'pick' and -quantity < q and (abs(keep * q - kept * (q + quantity)) > 1e-30 * q or epoch <> former_epoch)
              then 'keeps ' || keep || ' in epoch ' || epoch || ' after ' || kept || ' in epoch ' || former_epoch
            when whole and q + quantity = 0 and v + value <> 0
              then 'leaves no pieces worth ' || v + value
            when whole and q + quantity > 0 and v + value < 0
              then 'leaves ' || q + quantity || ' pieces worth ' || v + value
          end as detail
        from replay
        where rule_version like 'moving-average-%'
          and ((kind = 'pick' and -quantity < q and (abs(value * q - v * quantity) > 0.005 * q
                 or abs(keep * q - kept * (q + quantity)) > 1e-30 * q or epoch <> former_epoch))
          or (kind = 'pick' and -quantity = q and value <> -v)
          or (whole
              and ((q + quantity = 0 and v + value <> 0) or (q + quantity > 0 and v + value < 0))))
        union all
        select r.merchant_id, r.article_number || ' in ' || r.warehouse,
          'balance keeps ' || b.keep || ' in epoch ' || b.epoch || ', its last entry ' || r.keep || ' in epoch ' || r.epoch
        from replay r join erp.stock_balance b using (merchant_id, article_number, warehouse)
        where r.rule_version like 'moving-average-%' and r.next_entry is null and (b.keep <> r.keep or b.epoch <> r.epoch)
        union all
        select merchant_id, article_number || ' in ' || warehouse, 'balance ' || quantity || ' worth ' || value
        from erp.stock_balance where (quantity = 0 and value <> 0) or (quantity > 0 and value < 0)
        """,
    ),
    Probe("V4", "Python and PostgreSQL round alike, half away from zero (tried)", Stage.ALWAYS, one_rounding_rule),
    Check(
        "V4",
        "An invoice row is quantity times price less discount, rounded once",
        Stage.BILLED,
        "select merchant_id, count(*) as n from erp.invoice_basis_row group by 1",
        """
        select merchant_id, 'basis ' || basis_no || '/' || part || ' row ' || row_no as document,
          quantity || ' at ' || unit_price || ' less ' || discount_percent || ' % is not ' || amount as detail
        from erp.invoice_basis_row
        where amount <> round(quantity * unit_price * (100 - discount_percent) / 100, 2) or (folded and abs(quantity) <> 1)
        """,
    ),
    Check(
        "V6",
        "A completed order owes nothing: what was counted is shipped and every invoice basis is booked",
        Stage.INVOICED,
        """
        select merchant_id, count(*) as n from erp.sales_order where status in ('shipped', 'part-shipped', 'completed') group by 1
        """,
        """
        select b.merchant_id, b.order_number as document,
          'is completed; basis ' || b.basis_no || '/' || b.part || ' over ' || b.amount || ' is ' || b.state as detail
        from erp.invoice_basis b join erp.sales_order o using (merchant_id, order_number)
        where o.status = 'completed' and b.state = 'open' and b.return_number is null
        union all
        select b.merchant_id, b.return_number,
          'is completed; credit ' || b.basis_no || '/' || b.part || ' over ' || b.amount || ' is ' || b.state
        from erp.invoice_basis b join erp.return_order r using (merchant_id, return_number)
        where r.status = 'completed' and b.state = 'open'
        union all
        select g.merchant_id, g.return_number, 'is completed; line ' || g.line_number || ' came back ' || g.quantity || ' times, '
          || coalesce(s.quantity, 0) || ' are settled'
        from (select merchant_id, return_number, line_number, sum(quantity) as quantity from erp.returned_goods
              where line_number is not null group by 1, 2, 3) as g
        join erp.return_order r on r.merchant_id = g.merchant_id and r.return_number = g.return_number
        left join (select merchant_id, return_number, line_number, sum(quantity) as quantity from erp.return_settlement
                   group by 1, 2, 3) as s
          on s.merchant_id = g.merchant_id and s.return_number = g.return_number and s.line_number = g.line_number
        where r.status = 'completed' and g.quantity > coalesce(s.quantity, 0)
        union all
        select o.merchant_id, o.order_number,
          'is completed; line ' || c.line_number || ' is booked ' || c.booked || ' and shipped ' || c.shipped
        from erp.sales_order o
        join bridge.watched w on w.merchant_id = o.merchant_id and w.kind = 'sales-order' and w.document = o.order_number
        join bridge.counted c on c.merchant_id = w.merchant_id and c.kind = w.kind and c.doc_id = w.doc_id
        where o.status = 'completed' and c.what = 'picked' and c.line_number is not null and c.booked <> c.shipped
          and not exists (select from bridge.process p where p.merchant_id = o.merchant_id and p.kind = 'sales-order'
                            and p.document = o.order_number and p.ended_at is null)
        """,
        """
        select merchant_id, order_number || ' basis ' || basis_no || '/' || part as document,
          'shipped and not invoiced for ' || date_trunc('second', now() - created_at) as detail
        from erp.invoice_basis where state = 'open' order by created_at
        """,
    ),
]
