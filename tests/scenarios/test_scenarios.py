"""The acceptance scenarios of the trade, each played on paper: `decide` and the two passes on a virtual clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.scenarios import papers, production, shipping
from tests.scenarios.stage import OnPaper, Stage

STORIES = [
    production.fabric_is_promised_twice_and_slips,
    production.the_buyers_comment_is_late,
    production.the_inspection_fails_and_the_goods_miss_a_vessel,
    shipping.customs_rejects_inspects_and_the_cargo_is_rolled,
    shipping.a_part_ships_and_the_rest_flies,
    papers.the_credit_ends_on_a_sunday,
    production.the_order_rests_for_twelve_days,
    production.the_order_is_cancelled_while_it_is_chased,
    shipping.the_carrier_sails_a_day_earlier,
    production.a_promise_beyond_the_late_date_is_refused,
    papers.the_system_is_down_for_sixty_hours,
    papers.the_order_sails_in_january_2027,
    papers.the_same_event_comes_three_times_and_out_of_order,
    papers.the_sheet_says_the_same_in_three_languages,
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_on_paper(story: Callable[[Stage], Awaitable[None]]) -> None:
    asyncio.run(story(OnPaper()))  # type: ignore[arg-type]
