"""Writes to a system without an idempotency key: X2 and X3."""

from starters.verify.check import Check, Probe, Stage

CHECKS: list[Check | Probe] = [
    Check(
        "X2",
        "No write to Fortnox without a committed intent; each ends as done, refused or abandoned, or is unclear with a deadline",
        Stage.INVOICED,
        "select merchant_id, count(*) as n from bridge.foreign_call group by 1",
        """
        select merchant_id, system || ' ' || operation || ' ' || business_key as document,
          'is ' || state || ' after attempt ' || attempt || ', their id ' || coalesce(their_id, 'none') || ', ended '
          || coalesce(ended_at::text, 'never') as detail
        from bridge.foreign_call
        where (state = 'done' and (their_id is null or ended_at is null))
          or (state = 'refused' and (attempt = 0 or ended_at is null or coalesce(error, '') = ''))
          or (state = 'abandoned' and (ended_at is null or coalesce(error, '') = ''))
          or (state = 'sent' and (attempt = 0 or sent_at is null or deadline is null or settle_after is null))
          or attempt < 0 or payload_hash = ''
        union all
        select c.merchant_id, c.system || ' ' || c.operation || ' ' || c.business_key,
          'attempt ' || c.attempt || ' is unclear since ' || c.sent_at || ', settled at ' || c.settle_after
          || ', and nobody looks'
        from bridge.foreign_call c
        where c.state = 'sent' and c.settle_after < now() - interval '1 hour' and not exists (
          select from erp.invoice_basis b join bridge.exception x on x.merchant_id = b.merchant_id and x.document = b.order_number
          where b.merchant_id = c.merchant_id and b.reference = c.business_key and x.closed_at is null)
        union all
        select c.merchant_id, c.system || ' ' || c.operation || ' ' || c.business_key, 'is for no invoice basis of ours'
        from bridge.foreign_call c
        -- A reference ends in its revision: what was made anew, or given another day, has former ones.
        left join erp.invoice_basis b on b.merchant_id = c.merchant_id
          and left(b.reference, 27) = left(c.business_key, 27) and b.reference >= c.business_key
        where c.system = 'fortnox' and c.operation = 'create-invoice' and b.reference is null
        union all
        select b.merchant_id, b.order_number, 'basis ' || b.basis_no || '/' || b.part || ' is booked, and no intent was committed'
        from erp.invoice_basis b left join bridge.foreign_call c on c.merchant_id = b.merchant_id and c.system = 'fortnox'
          and c.operation = 'create-invoice' and c.business_key = b.reference
        where b.state = 'booked' and c.call_no is null
        union all
        select merchant_id, system || ' ' || kind || ' ' || their_id, 'is surplus since ' || found_at || ' and not cancelled'
        from bridge.surplus_document where state <> 'cancelled' and found_at < now() - interval '1 hour'
        """,
    ),
    Check(
        "X3",
        "Nothing final happens while an attempt may still arrive: an attempt settles after its deadline, booking comes last",
        Stage.INVOICED,
        "select merchant_id, count(*) as n from bridge.foreign_call group by 1",
        """
        select merchant_id, system || ' ' || operation || ' ' || business_key as document,
          'intended ' || intended_at || ', sent ' || coalesce(sent_at::text, 'never') || ', deadline '
          || coalesce(deadline::text, 'none') || ', settles ' || coalesce(settle_after::text, 'never') as detail
        from bridge.foreign_call
        where (sent_at is not null and (settle_after is null or deadline is null or settle_after <= deadline
               or deadline <= sent_at or sent_at < intended_at)) or (attempt > 0 and sent_at is null)
        union all
        select b.merchant_id, b.order_number,
          'basis ' || b.basis_no || '/' || b.part || ' was booked at ' || b.booked_at || ' while its call was ' || c.state
          || coalesce(', ended ' || c.ended_at, '')
        from erp.invoice_basis b join bridge.foreign_call c on c.merchant_id = b.merchant_id and c.system = 'fortnox'
          and c.operation = 'create-invoice' and c.business_key = b.reference
        where b.state = 'booked' and (c.state <> 'done' or c.ended_at > b.booked_at)
        """,
    ),
]
