"""The proof of lost answers, a few of each kind."""

import pytest

from bench.prove_1.lost_answers import Faults, run
from bench.prove_4 import lost_vouchers
from tests.conftest import Cluster


async def test_every_invoice_is_booked_once_though_answers_get_lost_and_requests_come_late(cluster: Cluster) -> None:
    figure, short = await run(cluster.url(), Faults(lost=6, late=3, too_late=3), invoices=16)
    assert short == [], figure


@pytest.mark.timeout(200)
async def test_every_posting_is_in_fortnox_once_net_though_vouchers_come_twice(cluster: Cluster) -> None:
    figure, short = await lost_vouchers.run(cluster.url(), Faults(lost=6, late=3, too_late=3), vouchers=16)
    assert short == [], figure
