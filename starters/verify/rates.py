"""Exchange rates: corrected only forward, V5."""

from starters.verify.check import Check, Probe, Stage

CHECKS: list[Check | Probe] = [
    Check(
        "V5",
        "An exchange rate is corrected by a new revision that says something else, and none was known before its day",
        Stage.NEVER,
        "select merchant_id, count(*) as n from erp.exchange_rate group by 1",
        """
        with revisions as (
          select e.*, lag(value) over place as former, lag(units) over place as former_units,
            row_number() over place as place_no
          from erp.exchange_rate e
          window place as (partition by merchant_id, source, currency, rate_date order by revision))
        select merchant_id, currency || ' ' || rate_date as document,
          case when revision <> place_no then 'revision ' || place_no || ' is missing'
               when value = former and units = former_units then 'revision ' || revision || ' says what the one before it said'
               else 'was fetched ' || fetched_at || ', before its day' end as detail
        from revisions
        where revision <> place_no or (value = former and units = former_units)
          or rate_date > (fetched_at at time zone 'Europe/Stockholm')::date
        """,
        """
        select merchant_id, currency || ' ' || rate_date as document,
          value || ' for ' || units || ' was not believed and is confirmed by ' || confirmed_by as detail
        from erp.exchange_rate where confirmed_by is not null order by fetched_at
        """,
    ),
]
