"""The loops of the benchmark under a clock that the test moves; the distributions of keys."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from bazanite_stress.bench.loop import SECOND, Rhythm, closed_loop, open_loop
from bazanite_stress.bench.zipf import THETA, Zipfian, scrambled, zeta

MS = SECOND // 1000
BEGIN = 5 * SECOND


class Clock:
    """Stands still unless an operation takes time or somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0

    def now(self) -> int:
        return self.time

    def sleep_until(self, moment: int) -> None:
        self.time = max(self.time, moment)


class Work:
    """Each step takes the next of these milliseconds, the last of them for ever."""

    def __init__(self, clock: Clock, *took: float, preparing: float = 0) -> None:
        self.clock, self.took, self.preparing = clock, list(took), preparing
        self.prepares = preparing > 0
        self.begun: list[float] = []

    def prepare(self) -> None:
        self.clock.time += int(self.preparing * MS)

    def step(self) -> None:
        self.begun.append((self.clock.time - BEGIN) / MS)
        self.clock.time += int(self.took[min(len(self.begun), len(self.took)) - 1] * MS)


def milliseconds(values: object) -> list[float]:
    return [value / MS for value in values]  # type: ignore[attr-defined]


def test_a_closed_loop_goes_on_until_its_time_is_over_and_finishes_the_last_one() -> None:
    clock = Clock()
    work = Work(clock, 3)
    timing = closed_loop(work, BEGIN, 0.010, clock)
    assert work.begun == [0, 3, 6, 9]
    assert milliseconds(timing.latencies) == [3, 3, 3, 3]
    assert (timing.elapsed_ns, timing.done, timing.missed) == (12 * MS, 4, 0)


def test_a_closed_loop_does_at_least_one_operation() -> None:
    clock = Clock()
    timing = closed_loop(Work(clock, 500), BEGIN, 0.010, clock)
    assert milliseconds(timing.latencies) == [500]
    clock = Clock()
    timing = closed_loop(Work(clock, 1, preparing=500), BEGIN, 0.010, clock)
    assert milliseconds(timing.latencies) == [1]


def test_preparations_are_in_no_figure_but_cannot_go_on_for_ever() -> None:
    clock = Clock()
    timing = closed_loop(Work(clock, 2, preparing=1), BEGIN, 0.010, clock)
    assert milliseconds(timing.latencies) == [2] * 5
    assert timing.elapsed_ns == 10 * MS
    clock = Clock()
    timing = closed_loop(Work(clock, 1, preparing=9), BEGIN, 0.010, clock)
    assert timing.done == 3  # three times the seconds, and not the hundred of ten steps
    assert clock.time == BEGIN + 30 * MS


def test_an_open_loop_begins_when_it_is_intended() -> None:
    clock = Clock()
    work = Work(clock, 1)
    timing = open_loop(work, BEGIN, 0.010, Rhythm(500), clock)
    assert work.begun == [0, 2, 4, 6, 8]
    assert milliseconds(timing.latencies) == [1] * 5
    assert timing.elapsed_ns == 10 * MS  # who keeps up has the rate that was asked for


def test_one_pause_shows_in_all_operations_that_had_to_wait_for_it() -> None:
    """A closed loop would have seen a single slow one: coordinated omission."""
    clock = Clock()
    work = Work(clock, 1, 6, 1)
    timing = open_loop(work, BEGIN, 0.012, Rhythm(500), clock)
    assert work.begun == [0, 2, 8, 9, 10, 11]
    assert milliseconds(timing.latencies) == [1, 6, 5, 4, 3, 2]
    assert timing.missed == 0


def test_who_cannot_keep_up_gets_three_times_the_time_and_then_the_rest_is_missed() -> None:
    clock = Clock()
    work = Work(clock, 10)
    timing = open_loop(work, BEGIN, 0.010, Rhythm(500), clock)
    assert work.begun == [0, 10, 20]
    assert (timing.done, timing.missed) == (3, 2)
    # Those of 6 and 8 ms were never begun: they waited until 30 ms at least.
    assert milliseconds(timing.latencies) == [10, 18, 26, 24, 22]
    assert timing.elapsed_ns == 30 * MS


def test_several_loops_share_a_rate_and_take_turns() -> None:
    parts = [Rhythm(1000, part, 4) for part in range(4)]
    moments = sorted(rhythm.intended(number) for rhythm in parts for number in range(3))
    assert milliseconds(moments) == list(range(12))


@pytest.mark.parametrize("count", [1, 2, 3, 100, 10_000])
def test_a_zipfian_rank_is_always_one_of_the_ranks(count: int) -> None:
    ranks = Zipfian(count, Random(1))
    drawn = Counter(ranks.rank() for _ in range(5_000))
    assert set(drawn) <= set(range(count))
    assert drawn.most_common(1)[0][0] == 0


def test_ranks_are_as_frequent_as_zipf_says() -> None:
    count, draws = 1_000, 200_000
    ranks = Zipfian(count, Random(2))
    drawn = Counter(ranks.rank() for _ in range(draws))
    total = sum(rank**-THETA for rank in range(1, count + 1))
    # The first two are exact; the others follow Gray's approximation.
    for rank, tolerance in ((0, 0.02), (1, 0.03), (9, 0.35), (99, 0.35)):
        expected = (rank + 1) ** -THETA / total * draws
        assert drawn[rank] == pytest.approx(expected, rel=tolerance)
    half = sum(drawn[rank] for rank in range(30))
    expected = sum((rank + 1) ** -THETA for rank in range(30)) / total * draws
    assert half == pytest.approx(expected, rel=0.05)


def test_zeta_of_many_is_what_adding_up_gives() -> None:
    for count in (10_000, 10_001, 300_000):
        assert zeta(count) == pytest.approx(sum(i**-THETA for i in range(1, count + 1)), rel=1e-10)


def test_frequent_ranks_are_scattered_over_the_rows() -> None:
    rows = [scrambled(rank, 1_000) for rank in range(1_000)]
    assert set(rows) <= set(range(1_000))
    assert len(set(rows)) > 550  # as many as so many throws at random hit: 632
    assert sorted(rows[:10]) != rows[:10]
    # FNV-1a of eight zero bytes, by hand: offset times the prime to the eighth.
    value = 0xCBF29CE484222325
    for _ in range(8):
        value = value * 0x100000001B3 % 2**64
    assert scrambled(0, 2**64) == value
