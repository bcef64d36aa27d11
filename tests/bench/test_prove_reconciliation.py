"""The proofs of the reconciliation, a few of each."""

import pytest

from bench.prove_5 import divergences, files
from tests.conftest import Cluster

pytestmark = pytest.mark.timeout(200)


async def test_planted_divergences_are_explained_to_zero_while_the_warehouse_works(cluster: Cluster) -> None:
    assert (await divergences.prove(each=3, postgres=cluster.url())).short == ()


async def test_a_delivered_file_that_cannot_be_believed_books_nothing() -> None:
    assert (await files.prove(small=True)).short == ()
