"""The proof of articles in step, in small: it can succeed, and it says what falls short."""

import pytest

from bench.prove_2.articles import judge, measure


@pytest.mark.stack
async def test_changed_articles_are_right_in_the_warehouse_with_one_request_for_each_version() -> None:
    found = await measure(80)
    assert judge(found).short == ()
    assert (found["wrong"], found["requests"] > 0) == (0, True)


def test_an_article_that_is_wrong_and_a_request_too_many_are_said() -> None:
    found = dict.fromkeys(("loaded_seconds", "changed_seconds", "calm_seconds"), 1.0)
    found |= {"articles": 10, "wrong": 1, "requests": 12, "versions": 11, "urgent_seconds": 6.5}
    assert len(judge(found).short) == 3
