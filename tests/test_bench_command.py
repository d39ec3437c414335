"""`bazanite bench`: its JSON, its usage errors, what it skips, Ctrl-C, its pictures."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.bench import crew, engines
from bazanite_stress.bench import rounds as rounds_module
from bazanite_stress.bench.campaign import Campaign
from bazanite_stress.bench.environment import Mount
from bazanite_stress.bench.orders import Order
from bazanite_stress.bench.plan import Settings
from bazanite_stress.bench.rounds import benchmark
from bazanite_tools import bench_command
from bazanite_tools.cli import main
from bench_support import one_round

DEADLINE_SECONDS = 100
KEYS = {
    *("engine", "workload", "processes", "threads", "rows", "ops_per_second", "p50_us", "p90_us"),
    *("p99_us", "p999_us", "max_us", "fairness_min_max", "syncs_per_commit", "bytes_per_commit"),
    *("cpu_us_per_commit", "peak_mb", "rounds", "ratio_to_bazanite", "durability", "environment"),
}


def run_bench(*more: object) -> int:
    given = ["bench", "--rows", 100, "--seconds", 0.01, "--rounds", 1, "--seed", 5, *more]
    return main([str(word) for word in given])


def words(option: str, *values: str) -> list[str]:
    return [word for value in values for word in (option, value)]


def quiet(_: Campaign) -> None:
    pass


def test_json_is_a_list_of_objects_with_all_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = words("--engine", "bazanite", "sqlite3-full", "disk")
    which = words("--workload", "insert", "readers-beside-writers")
    assert run_bench(*some, *which, "--processes", "2", "--dir", tmp_path, "--json") == 0
    out, err = capsys.readouterr()
    results = json.loads(out)
    assert isinstance(results, list)
    assert all(result.keys() >= KEYS for result in results)
    measured = [(r["workload"], r["engine"], r["processes"]) for r in results]
    assert measured == [
        *product(["insert"], ["bazanite", "sqlite3-full", "disk"], [2]),
        *product(["readers-beside-writers"], ["bazanite", "sqlite3-full"], [4]),
        *product(["writers-beside-readers"], ["bazanite", "sqlite3-full"], [2]),
    ]
    for result in results:
        assert result["ops_per_second"] > 0
        times = [result[f"{name}_us"] for name in ("p50", "p90", "p99", "p999", "max")]
        assert times == sorted(times)
        assert (result["rows"], result["threads"], result["rounds"]) == (100, 1, 1)
        assert len(result["shares"]) == result["processes"]
        assert 0 <= result["fairness_min_max"] <= 1
        assert result["ratio_to_bazanite"] > 0
        assert result["environment"]["seed"] == 5
    by_engine = {result["engine"]: result for result in results[:3]}
    assert by_engine["bazanite"]["ratio_to_bazanite"] == 1
    assert by_engine["bazanite"]["syncs_per_commit"] > 0
    assert by_engine["sqlite3-full"]["syncs_per_commit"] is None
    assert by_engine["disk"]["syncs_per_commit"] == 1
    assert "skipped disk: keeps no rows" in err
    assert list(tmp_path.iterdir()) == []


def test_an_open_loop_begins_as_many_as_the_rate_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = words("--engine", "bazoola")  # never syncs: nothing waits for the disk
    options = ["--workload", "read", "--threads", "2", "--rate", "500", "--seconds", "0.1"]
    assert run_bench(*engine, *options, "--dir", tmp_path, "--json") == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert result["operations"] + result["missed"] == 50
    assert (result["rate"], result["shares"]) == (500, [25, 25])


def test_without_json_there_is_a_table_and_on_what_it_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some = [*words("--engine", "bazanite", "tinydb"), "--workload", "scan"]
    assert run_bench(*some, "--dir", tmp_path) == 0
    out, err = capsys.readouterr()
    assert "scan: all rows, as dicts; 100 rows\n" in out
    assert re.search(r"^  bazanite +1 +1 +[\d,]+ +1\.00 ", out, re.MULTILINE)
    assert re.search(r"^  tinydb +1 +1 ", out, re.MULTILINE)
    assert "Linux" in out
    assert err.startswith("seed 5\n")


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--workload", "nothing"], "invalid choice: 'nothing'"),
        (["--workload", "writers-beside-readers"], "invalid choice"),
        (["--engine", "oracle"], "invalid choice: 'oracle'"),
        (["--processes", "0"], "must be numbers from 1 to 256"),
        (["--processes", "1,,2"], "must be numbers from 1 to 256"),
        (["--threads", "x"], "must be numbers from 1 to 256"),
        (["--rows", "-1"], "must be numbers from 1 to 100000000"),
        (["--seconds", "0"], "must be above 0"),
        (["--seconds", "nan"], "must be above 0"),
        (["--rounds", "0"], "must be a number from 1"),
        (["--rate", "inf"], "must be above 0"),
        (["--durability", "some"], "invalid choice"),
        (["--dir", "/no/such/directory"], "--dir /no/such/directory: no such directory"),
    ],
)
def test_a_wrong_argument_is_a_usage_error(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    out, err = capsys.readouterr()
    assert (out, told in err) == ("", True)


def test_pictures_without_matplotlib_are_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_command, "find_spec", lambda name: None)
    assert run_bench("--plot", tmp_path) == 2
    assert "pip install 'bazanite[bench]'" in capsys.readouterr().err


def test_a_place_for_pictures_that_cannot_be_made_is_named_with_its_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    (place := tmp_path / "file").touch()
    assert run_bench("--plot", place) == 2
    assert f"--plot {place}: File exists" in capsys.readouterr().err


def test_a_directory_in_memory_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_command, "mount_of", lambda _: Mount("tmpfs", "rw", "0:1"))
    some = ["--engine", "bazoola", "--workload", "read", "--processes", "1"]
    assert run_bench(*some, "--dir", tmp_path) == 0
    assert f"WARNING: {tmp_path} is on tmpfs, in memory" in capsys.readouterr().err


def test_a_peer_that_is_not_installed_is_skipped_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    some = [*words("--engine", "lmdb", "disk"), "--workload", "insert", "--processes", "1"]
    assert run_bench(*some, "--dir", tmp_path, "--json") == 0
    out, err = capsys.readouterr()
    assert [result["engine"] for result in json.loads(out)] == ["disk"]
    assert "skipped lmdb: is not installed: pip install lmdb (everything)" in err
    assert run_bench("--engine", "lmdb", "--dir", tmp_path, "--json") == 1  # nothing was measured


Fake = Callable[[list[Order], float], Any]


def settings(tmp_path: Path, **more: Any) -> Settings:
    given: dict[str, Any] = {
        "workloads": ["read", "scan"],
        "engines": ["bazanite", "lmdb"],
        "seed": 1,
        "processes": [1],
        "rows": (100, 200),
        "seconds": 0.01,
        "rounds": 2,
        "parent": tmp_path,
    }
    return Settings(**{**given, **more})


@pytest.fixture
def instead(monkeypatch: pytest.MonkeyPatch) -> Callable[[Fake], list[Order]]:
    """No process is started: what measuring gives comes from the test; the orders there were."""

    def put(fake: Fake) -> list[Order]:
        orders: list[Order] = []

        def measure(given: list[Order], limit: float) -> Any:
            orders.extend(given)
            return fake(given, limit)

        def prepare(order: Order, _limit: float) -> int:
            order.directory.mkdir(exist_ok=True)
            return 0

        monkeypatch.setattr(crew, "measure", measure)
        monkeypatch.setattr(crew, "carry_out", prepare)
        monkeypatch.setattr(rounds_module, "round_of", lambda parts, written: one_round(parts[0]))
        return orders

    return put


def test_engines_take_turns_within_a_cell_and_each_round_begins_with_another(
    tmp_path: Path, instead: Callable[[Fake], list[Order]]
) -> None:
    rates = iter([100.0, 50.0, 300.0, 100.0])
    orders = instead(lambda given, limit: [next(rates)])
    campaign = benchmark(settings(tmp_path, workloads=["scan"], rows=(100,)), quiet)
    assert [order.engine for order in orders] == ["bazanite", "lmdb", "lmdb", "bazanite"]
    ours, theirs = campaign.results()
    assert (ours["ops_per_second"], theirs["ops_per_second"]) == (100, 175)
    assert theirs["ratio_to_bazanite"] == 1.75  # of 0.5 and 3
    assert theirs["rows_per_second"] == 17_500


def test_who_is_too_slow_at_a_size_is_not_asked_again_at_it_or_above(
    tmp_path: Path, instead: Callable[[Fake], list[Order]]
) -> None:
    def fake(given: list[Order], limit: float) -> Any:
        assert limit == 7
        if (given[0].engine, given[0].workload, given[0].rows) == ("lmdb", "scan", 100):
            raise crew.TooSlow
        return [1.0]

    orders = instead(fake)
    campaign = benchmark(settings(tmp_path, limit_seconds=7.0), quiet)
    asked = [(order.workload, order.rows) for order in orders if order.engine == "lmdb"]
    assert asked == [*[("read", 100)] * 2, ("scan", 100), *[("read", 200)] * 2]
    assert campaign.skipped == {("lmdb", "needs over 7 s"): ["scan, 100 rows, 1 x 1"]}
    assert len(campaign.results()) == 6


@pytest.mark.parametrize("engine, status", [("bazanite", 1), ("lmdb", 0)])
def test_who_reads_what_was_not_stored_gets_no_figure_and_bazanite_is_an_error(
    engine: str,
    status: int,
    tmp_path: Path,
    instead: Callable[[Fake], list[Order]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fake(given: list[Order], limit: float) -> Any:
        if given[0].engine == engine:
            raise crew.Wrong("item: row 7 reads as None")
        return [1.0]

    instead(fake)
    some = [*words("--engine", "bazanite", "lmdb"), "--workload", "scan"]
    assert run_bench(*some, "--dir", tmp_path, "--json") == status
    out, err = capsys.readouterr()
    assert [result["engine"] for result in json.loads(out)] == [*({"bazanite", "lmdb"} - {engine})]
    assert f"WRONG {engine}: scan, 100 rows, 1 x 1: item: row 7 reads as None" in err


def test_when_no_time_is_left_the_rest_is_told(
    tmp_path: Path, instead: Callable[[Fake], list[Order]]
) -> None:
    orders = instead(lambda given, limit: [1.0])
    campaign = benchmark(settings(tmp_path, budget_seconds=0.0), quiet)
    assert orders == []
    ((key, what),) = campaign.skipped.items()
    assert key == ("all", "no time was left")
    assert len(what) == 4


def test_ctrl_c_leaves_neither_processes_nor_directories(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bazanite_tools", "bench", "--dir", str(tmp_path), "--json"]
    options = ["--workload", "insert", "--processes", "3", "--rows", "100", "--seconds", "60"]
    with subprocess.Popen(
        [*command, *options, "--engine", "bazanite"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        # The directory is open in three processes once they measure.
        wait_until(lambda: any(tmp_path.glob("*/cell/.attached")))
        wait_until(lambda: len(members(process.pid)) >= 4)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 130, err
    assert json.loads(out) == []
    assert "interrupted" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    wait_until(lambda: members(process.pid) == [])


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline


def members(session: int) -> list[int]:
    """The processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == session:
            found.append(int(path.parent.name))
    return found


def test_pictures_are_drawn_as_far_as_the_results_go(tmp_path: Path) -> None:
    plots = pytest.importorskip("bazanite_stress.bench.plots")
    environment = {
        **dict.fromkeys(("kernel", "python", "sqlite", "filesystem"), "x"),
        "date": "2026-01-01T00:00:00",
        "cpu_count": 2,
        "seed": 1,
    }
    results = [
        {
            "engine": engine,
            "workload": workload,
            "processes": processes,
            "threads": 1,
            "rows": rows,
            "ops_per_second": 100.0,
            "p50_us": 5.0,
            "quantiles_us": [[share, 1000 * share] for share in plots._QUANTILES],
            "operations": 500,
            "shares": [7] * processes,
            "fairness_min_max": 1.0,
            "durability": "full" if engine == "bazanite" else engines.NO_SYNC,
            "environment": environment,
        }
        for engine, workload, processes, rows in product(
            ("bazanite", "bazoola"), ("insert", "read"), (1, 4), (100, 1000)
        )
    ]
    drawn = plots.draw(results, tmp_path)
    assert [path.name for path in drawn] == [
        *("throughput-insert.png", "latency-insert.png", "size-read.png", "size-insert.png"),
        "shares-insert.png",
    ]
    assert sorted(tmp_path.iterdir()) == sorted(drawn)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


def test_a_picture_by_size_has_the_sizes_that_were_measured_below_it() -> None:
    plots = pytest.importorskip("bazanite_stress.bench.plots")
    result = {"engine": "bazanite", "processes": 1, "threads": 1, "durability": "full"}
    results = [result | {"rows": rows, "p50_us": 5.0} for rows in (1000, 5000)]
    figure = plots.Figure()
    assert plots._size(figure, "insert", results)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    major, minor = axes.get_xticklabels(), axes.get_xticklabels(minor=True)
    assert [label.get_text() for label in major] == ["1,000", "5,000"]
    assert not any(label.get_text() for label in minor)
