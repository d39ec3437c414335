"""The arithmetic of the benchmark, its plan, its table: without measuring anything."""

from __future__ import annotations

from array import array
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.bench.campaign import Campaign
from bazanite_stress.bench.engine import Counters
from bazanite_stress.bench.engines import ENGINES
from bazanite_stress.bench.environment import describe, mount_of
from bazanite_stress.bench.figures import ratio, round_of, told
from bazanite_stress.bench.loop import SECOND
from bazanite_stress.bench.orders import Part
from bazanite_stress.bench.plan import Settings, plan, reason_against, rotated
from bazanite_stress.bench.report import WIDTH, about, as_table, duration, number
from bazanite_stress.bench.workloads import CHOICES, WORKLOADS, Shape
from bazanite_stress.shares import at, fairness
from bench_support import cell, one_round


def part(*done: int, **more: Any) -> Part:
    """A process whose threads did so many operations of 1 ms each, in a second each."""
    given: dict[str, Any] = {
        "latencies": [array("q", [SECOND // 1000] * count).tobytes() for count in done],
        "elapsed_ns": [SECOND] * len(done),
        "done": list(done),
        "missed": [0] * len(done),
        "commits": sum(done),
        "inserted": Counter(),
        "peak_kb": 2048,
        "cpu_ns": 1000 * sum(done),
        "counters": None,
    }
    return Part(**{**given, **more})


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = list(range(1, 1001))
    assert [at(values, share) for share in (0, 0.5, 0.9, 0.99, 0.999, 1)] == [
        *(1, 500, 900, 990, 999, 1000)
    ]
    assert at([7], 0.999) == 7
    assert at([], 0.5) == 0


def test_fairness_is_the_fewest_through_the_most() -> None:
    assert fairness([10, 5, 8]) == 0.5
    assert fairness([3]) == 1
    assert fairness([0, 5]) == fairness([0, 0]) == 0


def test_a_ratio_is_the_median_of_the_rounds_that_both_have() -> None:
    rounds = [one_round(rate) for rate in (100, 200, 900)]
    ours = [one_round(rate) for rate in (50, 400, 300)]
    assert ratio(rounds, ours) == 2  # of 2, 0.5 and 3: not 200 through 300
    assert ratio([rounds[0], None, rounds[2]], ours) == 2.5
    assert ratio([rounds[0], None], [None, ours[1]]) is None
    assert ratio(rounds, rounds) == 1


def test_a_round_adds_the_rates_and_keeps_every_latency() -> None:
    one = round_of([part(30, 20), part(50, 60)], disk_bytes=160_000)
    assert one.ops_per_second == 160
    assert (len(one.latencies), one.done, one.commits) == (160, [50, 110], 160)
    assert (one.syncs, one.disk_bytes, one.cpu_ns) == (None, 160_000, 160_000)
    threads = round_of([part(30, 20)], None)
    assert threads.done == [30, 20]  # of one process, its threads' shares


def test_counters_are_told_only_if_every_process_has_them() -> None:
    counted = part(10, counters=Counters(10, 4, 2560))
    one = round_of([counted, counted], None)
    assert (one.own_commits, one.syncs, one.log_bytes) == (20, 8, 5120)
    assert told([one])["syncs_per_commit"] == 0.4
    assert told([one])["bytes_per_commit"] == 256
    mixed = told([round_of([counted, part(10)], None)])
    assert mixed["syncs_per_commit"] is None


def test_preparations_between_operations_leave_no_cost_that_could_be_told() -> None:
    figures = told([round_of([part(5, cpu_ns=None)], disk_bytes=99)])
    assert figures["cpu_us_per_commit"] is figures["disk_bytes_per_commit"] is None


def test_figures_are_medians_of_rounds_and_quantiles_of_all_latencies() -> None:
    figures = told([one_round(10.0, [1000]), one_round(30.0, [3000]), one_round(20.0, [2000])])
    assert (figures["ops_per_second"], figures["rounds"]) == (20, 3)
    assert (figures["p50_us"], figures["max_us"]) == (2, 3)
    assert figures["quantiles_us"][-1] == [1.0, 3]
    reading = told([one_round(10.0, commits=0, cpu_ns=4000, done=[2])])
    assert (reading["cpu_us_per_commit"], reading["cpu_us_per_operation"]) == (None, 2)


def settings(**more: Any) -> Settings:
    given: dict[str, Any] = {"workloads": CHOICES, "engines": list(ENGINES), "seed": 1}
    return Settings(**{**given, **more})


def test_a_plan_has_every_workload_and_no_cell_twice() -> None:
    cells = plan(settings(rows=(1000, 100), scale=[("insert", 100), ("insert", 10)]))
    assert {one.workload for one in cells} == set(CHOICES)
    assert len(cells) == len(set(cells))
    assert [one.rows for one in cells] == sorted(one.rows for one in cells)
    assert cells[0] == cell("insert", rows=10)


def test_shapes_that_are_asked_for_take_the_place_of_a_workloads_own() -> None:
    def shapes(**more: Any) -> list[Shape]:
        return [one.shape for one in plan(settings(**more))]

    assert shapes(workloads=["read"], processes=[2, 3]) == [Shape(2), Shape(3)]
    assert shapes(workloads=["read"], threads=[4]) == [Shape(1, 4)]
    assert shapes(workloads=["read"], processes=[2], threads=[1, 4]) == [Shape(2), Shape(2, 4)]
    assert shapes(workloads=["read"], only=[Shape(8)]) == [Shape(8)]
    assert shapes(workloads=["open"], processes=[2], threads=[4]) == [Shape(1)]
    assert shapes(workloads=["readers-beside-writers"], processes=[2]) == [Shape(4)]


@pytest.mark.parametrize(
    "engine, workload, processes, threads, rows, reason",
    [
        ("disk", "read", 1, 1, 100, "keeps no rows"),
        ("disk", "insert", 16, 1, 100, None),
        ("lmdb", "recovery", 1, 1, 100, "has no log"),
        ("sqlite3-full", "recovery", 1, 1, 100, None),
        ("tinydb", "insert", 2, 1, 100, "one process"),
        ("tinydb", "readers-beside-writers", 4, 1, 100, "one process"),
        ("tinydb", "insert", 1, 2, 100, "one thread"),
        ("tinydb", "insert", 1, 1, 100, None),
        ("bazoola", "read", 1, 1, 1_000_000, "at most 900,000 rows"),
        ("bazanite", "update", 8, 2, 15, "a row of its own"),
        ("bazanite", "update", 8, 2, 16, None),
    ],
)
def test_what_an_engine_is_not_made_for_is_left_out_with_a_reason(
    engine: str, workload: str, processes: int, threads: int, rows: int, reason: str | None
) -> None:
    said = reason_against(engine, cell(workload, processes, threads, rows))
    assert said is None if reason is None else reason in (said or "")


def test_each_round_begins_with_another_engine() -> None:
    assert [rotated(["a", "b", "c"], turn) for turn in range(4)] == [
        *(["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"], ["a", "b", "c"])
    ]
    assert rotated([], 5) == []


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:25 / /tmp rw,nosuid shared:2 - tmpfs tmpfs rw,size=1g
31 22 254:1 / /srv/with\\040space rw - xfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    "directory, kind, in_memory",
    [
        ("/home/me", "ext4", False),
        ("/tmp/a/b", "tmpfs", True),
        ("/tmpfoo", "ext4", False),
        ("/srv/with space/x", "xfs", False),
    ],
)
def test_the_mount_of_a_directory_is_the_deepest_above_it(
    directory: str, kind: str, in_memory: bool
) -> None:
    mount = mount_of(Path(directory), MOUNTS)
    assert (mount.kind, mount.in_memory) == (kind, in_memory)


def test_the_environment_says_on_what_was_measured(tmp_path: Path) -> None:
    told_of = describe(tmp_path, 7)
    assert told_of.keys() >= {"kernel", "python", "sqlite", "cpu_count", "filesystem", "date"}
    assert told_of["seed"] == 7
    assert {"bazanite", "lmdb", "numpy"} <= told_of["versions"].keys()


@pytest.mark.parametrize(
    "value, text",
    [
        (1.844, "1.84us"),
        (9.996, "10.0us"),
        (999.4, "999us"),
        (999.6, "1.00ms"),
        (99_960, "100ms"),
        (4_200_000, "4.20s"),
    ],
)
def test_a_time_is_told_in_three_digits_and_its_unit(value: float, text: str) -> None:
    assert duration(value) == text


def test_a_number_is_told_in_three_digits_or_whole() -> None:
    assert [number(value) for value in (None, 0.004, 9.5, 99.96, 999.4, 12345.6)] == [
        *("-", "0.00", "9.50", "100", "999", "12,346")
    ]


def test_the_table_fits_a_hundred_columns_and_tells_what_was_left_out(tmp_path: Path) -> None:
    chosen = settings(rounds=1, rate=1e6)
    campaign = Campaign(chosen, plan(chosen), describe(tmp_path, 1))
    huge = one_round(99_999_999.0, [10**12], missed=5, cpu_ns=10**12, peak_kb=10**7)
    for one in campaign.cells:
        one = cell(one.workload, 16, 16, 100_000_000)
        campaign.rounds[one.workload, one] = {name: [huge] for name in ENGINES}
    for name in ENGINES:
        campaign.skip(name, "has no log that is to be recovered", "recovery")
        campaign.skip(name, "is for one process", ", ".join(WORKLOADS))
    campaign.wrong.append(("bazoola", "item: row 7 reads as None " * 9))
    campaign.interrupted = True
    lines = as_table(campaign, campaign.results()).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all(line == line.rstrip() for line in lines)
    text = about(campaign, campaign.results())
    for told_of in (
        "skipped disk: ",
        "WRONG bazoola: ",
        "interrupted",
        "not begun in time",
        "seed",
    ):
        assert told_of in text
    assert "(bazoola)" in text
    assert f"seed {chosen.seed}, 1 round of " in text
    assert "*" not in about(campaign, [])  # nobody has a star that is to be explained
