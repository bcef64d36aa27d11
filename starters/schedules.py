"""What begins by the clock: a schedule of Temporal for each merchant and each daily process.

Stockholm time (or the merchant's), a few minutes of jitter so that merchants do not begin at once. A run that is still there when
the next is due is left alone: what it works on is chosen by what is missing, so the next one misses nothing. For the same reason
days on which Temporal was away are caught up by one run.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows import attributes, options

JITTER = timedelta(minutes=5)
CATCH_UP = timedelta(days=1)


async def every_day(
    client: Client,
    schedule_id: str,
    workflow: Callable[..., Any],
    argument: Any,
    hour: int,
    time_zone: str,
    merchant: str,
    minute: int = 0,
    at_once: bool = False,
    hours: ScheduleRange | None = None,
) -> None:
    """Make or renew a daily schedule; its runs have the schedule's id and the time. `at_once`: a new one begins with a run;
    `hours`: it runs in each of them, not only once.

    Renewed, it keeps its state: what somebody has paused stays paused.
    """
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            workflow,
            argument,
            id=schedule_id,
            task_queue=options.ORDERS_QUEUE,
            typed_search_attributes=attributes.of_merchant(merchant, merchant),
        ),
        spec=ScheduleSpec(
            calendars=[ScheduleCalendarSpec(hour=[hours or ScheduleRange(hour)], minute=[ScheduleRange(minute)])],
            time_zone_name=time_zone,
            jitter=JITTER,
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCH_UP),
    )
    try:
        await client.create_schedule(schedule_id, schedule, trigger_immediately=at_once)
    except ScheduleAlreadyRunningError:

        async def renew(found: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule.state = found.description.schedule.state
            return ScheduleUpdate(schedule=schedule)

        await client.get_schedule_handle(schedule_id).update(renew)
