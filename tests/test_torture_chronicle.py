"""What a torture run keeps for its report: counted right, and little however long it is."""

from __future__ import annotations

import pytest

from bazanite_stress.crowd.record import Record
from bazanite_stress.torture.chronicle import (
    COMMITS,
    OWN_ROWS,
    READING,
    SHARED_ROWS,
    SLICES_AT_MOST,
    WAITING,
    Chronicle,
    Histogram,
    Slices,
    handovers,
)
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.report_timeline import recoveries, rows_within
from torture_report_support import MS, a_record, a_run, a_tally


def test_a_chronicle_counts_what_happened_in_a_room() -> None:
    chronicle = a_run(a_tally())
    assert {slot: (s.processes, s.kills, s.commits) for slot, s in chronicle.slots.items()} == {
        0: (3, 2, 2),
        1: (1, 1, 2),
    }
    counts = {name: histogram.total for name, histogram in chronicle.latencies.items()}
    assert counts == {COMMITS: 4, READING: 1, WAITING: 2}
    assert chronicle.latencies[COMMITS].longest_ns == 16 * MS
    assert chronicle.latencies[WAITING].longest_ns == 6 * MS
    assert chronicle.slices.counts == [4.0]
    assert chronicle.handovers == 2
    assert (chronicle.kinds[SHARED_ROWS].kills, chronicle.kinds[SHARED_ROWS].commits) == (3, 4)


def test_the_lock_goes_on_between_commits_of_different_processes_only() -> None:
    found = [(one.lsn, other.lsn) for one, other in handovers(a_record().events)]
    assert found == [(100, 200), (300, 400)]


def test_a_recovery_begins_when_nobody_lives_and_ends_with_an_answer_or_with_all_dead() -> None:
    assert recoveries(a_record()) == [(55 * MS, 60 * MS), (65 * MS, 90 * MS)]


def test_who_forks_and_its_child_lie_beside_each_other() -> None:
    lives = [(0, 0, 10, ""), (0, 5, 12, "forked child"), (0, 11, 20, ""), (1, 0, 20, "")]
    places = {(life[0], life[1]): (place, places) for life, place, places in rows_within(lives)}
    assert places == {(0, 0): (0, 2), (0, 5): (1, 2), (0, 11): (0, 2), (1, 0): (0, 1)}


def test_slices_get_wider_and_lose_no_count() -> None:
    slices = Slices()
    for second in range(10_000):
        slices.add(second + 0.5)
    assert len(slices.counts) <= SLICES_AT_MOST
    assert (slices.width_seconds, sum(slices.counts)) == (32, 10_000)
    assert set(slices.counts[:-1]) == {32.0}
    slices.spread(100.0, 9_000.0, 50)
    assert sum(slices.counts) == pytest.approx(10_050)


def test_quantiles_are_right_to_the_width_of_a_bucket() -> None:
    histogram = Histogram()
    for microseconds in range(1, 1_001):
        histogram.add(microseconds * 1_000)
    for share in (0.5, 0.9, 0.99):
        assert share * 1e6 <= histogram.quantile_ns(share) <= share * 1e6 * 1.25
    assert histogram.quantile_ns(1.0) == 1e6
    assert Histogram().quantile_ns(0.5) == 0.0


def test_what_is_kept_of_a_long_run_does_not_grow() -> None:
    chronicle, tally = Chronicle(began=0), a_tally()
    for number in range(1, 3_001):
        wrong = [Finding("lost", "a", "b")] if number > 1_000 else []
        record = Record(number * 1_000 * MS, (number + 1) * 1_000 * MS, commits={0: 10})
        chronicle.over(number, OWN_ROWS, tally, record, wrong)
    kept = {s.number for s in (chronicle.last, chronicle.first_wrong) if s is not None}
    assert kept == {3_000, 1_001}
    assert len(chronicle.kind_of) == 200
    assert len(chronicle.slices.counts) <= SLICES_AT_MOST
    assert sum(chronicle.slices.counts) == pytest.approx(30_000)
