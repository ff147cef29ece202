"""Schedules against a loop that counts."""

from hypothesis import given
from hypothesis import strategies as st

from primacy.plasticity.schedule import Schedule

schedules = st.builds(
    Schedule,
    every=st.integers(1, 12),
    offset=st.integers(0, 20),
    until=st.none() | st.integers(1, 80),
    leave=st.integers(0, 20),
    at_most=st.none() | st.integers(1, 5),
)


def nominal(schedule: Schedule, total: int) -> dict[int, int]:
    """Count -> event number, by counting."""
    found, wait, number = {}, schedule.every, 0
    for count in range(schedule.offset + 1, total + 1):
        wait -= 1
        if wait == 0:
            wait, number = schedule.every, number + 1
            late = schedule.until is not None and count > schedule.until
            spent = schedule.at_most is not None and number > schedule.at_most
            if total - count >= schedule.leave and not late and not spent:
                found[count] = number
    return found


@given(schedules, st.integers(1, 100))
def test_events_are_those_of_a_counting_loop(schedule, total):
    events = {c: e for c in range(total + 1) if (e := schedule.event(c, total)) is not None}
    assert events == nominal(schedule, total)


@given(schedules, st.integers(0, 100), st.integers(101, 200))
def test_nothing_is_due_before_the_next_count_named(schedule, count, total):
    following = schedule.next_after(count)
    assert following > count
    assert all(schedule.event(c, total) is None for c in range(count + 1, following))
    free = Schedule(schedule.every, offset=schedule.offset)
    assert free.event(following, following + 1) is not None


@given(st.integers(1, 12), st.integers(0, 9), st.integers(1, 12))
def test_a_stride_skips_no_interval(every, offset, stride):
    """Frames pass by action repeat: an event comes at the first count past its interval, once."""
    schedule = Schedule(every, unit="frames", offset=offset)
    counts = range(stride, 200, stride)
    events = [e for c in counts if (e := schedule.event(c, 1000, stride)) is not None]
    assert events == sorted(set(events))
    ends = [max((c - offset) // every, 0) for c in counts]
    assert set(events) == set(ends) - {0}


def test_leaving_a_whole_interval_is_the_rule_of_bbf():
    schedule = Schedule(every=20, leave=20)
    assert [c for c in range(101) if schedule.event(c, 100)] == [20, 40, 60, 80]
    assert [c for c in range(101) if schedule.event(c, 99)] == [20, 40, 60]
    assert [c for c in range(101) if Schedule(every=20).event(c, 100)] == [20, 40, 60, 80]
