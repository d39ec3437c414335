"""Every workload on every engine, tiny; and an engine that lies gets no figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.bench import crew, worker
from bazanite_stress.bench.bazanite_engine import open_bazanite
from bazanite_stress.bench.disk_engine import frame_sizes
from bazanite_stress.bench.engines import ENGINES, engine
from bazanite_stress.bench.lifecycle import FULL_LOG_SHARE
from bazanite_stress.bench.plan import reason_against
from bazanite_stress.bench.tables import DATASETS, WrongResult, hits, item, rows_for, rows_of
from bazanite_stress.bench.workloads import WORKLOADS, Shape
from bazanite_stress.bench.ycsb import MIXES
from bench_support import INSTALLED, ROWS, cell, filled, measured, order

POSSIBLE = [
    pytest.param(name, workload, id=f"{name}-{workload}")
    for name in ENGINES
    for workload, spec in WORKLOADS.items()
    if reason_against(name, cell(workload)) is None and not spec.needs_log
]


def test_the_peers_are_installed_where_the_project_is_developed() -> None:
    """Else the tests below would skip them, and nobody would notice."""
    assert list(ENGINES) == INSTALLED


@pytest.mark.parametrize("name, workload", POSSIBLE)
def test_a_workload_runs_and_its_results_are_right(
    name: str, workload: str, tmp_path: Path
) -> None:
    spec = WORKLOADS[workload]
    directory = filled(name, tmp_path / "data", workload)
    works, part = measured(name, directory, workload)
    assert part.done[0] >= 1
    assert len(part.latencies[0]) == 8 * part.done[0]
    assert (part.elapsed_ns[0] > 0, part.missed, part.peak_kb > 0) == (True, [0], True)
    assert (part.cpu_ns is None) == spec.opens
    if not spec.opens and ENGINES[name].keeps_rows:
        expected = Counter(rows_of(spec.dataset, ROWS)) + part.inserted
        session = engine(name).open(directory, DATASETS[spec.dataset])
        for table in DATASETS[spec.dataset]:
            assert session.count(table.name) == expected[table.name]
        session.close()
    if workload in {"insert", "update", "transaction"}:
        assert part.commits == part.done[0] == works[0].commits
    if name in {"bazanite", "disk"} and not spec.opens:
        assert part.counters is not None
        assert part.counters.commits == part.commits
        assert part.counters.syncs >= part.commits
        assert (part.counters.log_bytes > 0) == (part.commits > 0)


@pytest.mark.parametrize("name", [name for name, entry in ENGINES.items() if entry.threads])
def test_threads_share_a_session_and_their_rows_add_up(name: str, tmp_path: Path) -> None:
    directory = filled(name, tmp_path / "data", "transaction")
    works, part = measured(name, directory, "transaction", threads=3)
    assert len(works) == len(part.done) == len(part.latencies) == 3
    assert part.commits == sum(part.done)
    if ENGINES[name].keeps_rows:
        assert part.inserted == {"entry": part.commits}
        session = engine(name).open(directory, DATASETS["items"])
        assert session.count("entry") == part.commits
        session.close()


@pytest.mark.parametrize("name", ["bazanite", "sqlite3-full"])
def test_a_full_log_is_recovered_after_a_kill(name: str, tmp_path: Path) -> None:
    told = order("prepare", name, tmp_path / "data", "recovery")
    change = crew.carry_out(told, 60)  # a process of its own, which ends without closing
    assert change > ROWS
    directory = tmp_path / "data"
    log = directory / {"bazanite": "wal.log", "sqlite3-full": "data.db-wal"}[name]
    assert log.stat().st_size > FULL_LOG_SHARE * (2 << 20)
    _, part = measured(name, directory, "recovery", last_change=change)
    assert part.done[0] >= 1
    with pytest.raises(WrongResult, match="score"):
        measured(name, directory, "recovery", last_change=change + ROWS)


LIES: dict[str, Callable[[Any], Any]] = {
    "get": lambda row: None,
    "scan": lambda rows: rows[1:],
    "equal": lambda rows: rows[:1],
    "greater": lambda rows: [],
    "page": lambda rows: [*rows, *rows],
    "join": lambda rows: [{**row, "entries": []} for row in rows],
}


@pytest.mark.parametrize(
    "method, workloads",
    [
        ("get", ["insert", "update", "transaction", "read", "open", "ycsb-load", "ycsb-d"]),
        ("get", [name for name, mix in MIXES.items() if "read" in mix]),
        ("scan", ["scan", "bulk-load"]),
        ("equal", ["equality"]),
        ("greater", ["range"]),
        ("page", ["ycsb-e"]),
        ("join", ["join"]),
    ],
)
def test_what_was_not_stored_is_a_wrong_result_and_no_figure(
    method: str, workloads: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for workload in workloads:
        filled("lmdb", tmp_path / workload, workload)
    module = pytest.importorskip("bazanite_stress.bench.lmdb_engine")
    session: Any = module.LmdbSession
    true, lie = getattr(session, method), LIES[method]
    monkeypatch.setattr(session, method, lambda self, *given: lie(true(self, *given)))
    if method == "scan":
        monkeypatch.setattr(session, "count", lambda self, table: ROWS - 1)
    for workload in workloads:
        with pytest.raises(WrongResult):
            measured("lmdb", tmp_path / workload, workload)


def test_rows_that_are_missing_in_the_end_are_a_wrong_result(tmp_path: Path) -> None:
    directory = filled("sqlite3-full", tmp_path / "data", "insert")
    told = order("audit", "sqlite3-full", directory, "insert", expected={"item": ROWS + 1})
    with pytest.raises(crew.Wrong, match=f"item: {ROWS} rows, expected {ROWS + 1}"):
        crew.carry_out(told, 60)


def test_an_engine_that_fails_is_told_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no directory")
    with pytest.raises(crew.CrewFailed, match=r"FileExistsError|NotADirectoryError"):
        crew.measure([order("measure", "sqlite3-full", tmp_path / "data", "read")], 60)


def test_processes_begin_together_and_are_gone_afterwards(tmp_path: Path) -> None:
    directory = filled("bazanite", tmp_path / "data", "update")
    orders = [
        order("measure", "bazanite", directory, "update", process=number, processes=2, seconds=0.1)
        for number in range(2)
    ]
    parts = crew.measure(orders, 60)
    assert [len(part.done) for part in parts] == [1, 1]
    assert all(part.commits == part.done[0] > 0 for part in parts)
    session = open_bazanite(directory, DATASETS["items"])
    assert session.db.stats()["attached_processes"] == 1
    session.close()


def test_the_bare_disk_writes_what_a_frame_of_bazanite_has(tmp_path: Path) -> None:
    sizes = frame_sizes(tmp_path / "asked", DATASETS["items"])
    session = open_bazanite(tmp_path / "data", DATASETS["items"])
    session.insert_many("item", rows_for("item", 100))
    before = session.counters().log_bytes
    session.insert("item", item(1))
    inserted = session.counters().log_bytes
    session.update("item", 7, {"score": 1})
    updated = session.counters().log_bytes
    session.close()
    assert inserted - before == pytest.approx(sizes["insert item"], abs=4)
    assert updated - inserted == pytest.approx(sizes["update item"], abs=4)
    assert sizes["insert item"] > sizes["many item"] > 40
    assert sizes["transaction"] > sizes["insert entry"]
    assert sizes["update entry"] > 0
    assert frame_sizes(tmp_path / "users", DATASETS["users"])["update usertable"] > 0


@pytest.mark.parametrize("rows", [1, 41, 42, 99, 100, 250, 10_000])
def test_hits_are_counted_as_the_rows_are_made(rows: int) -> None:
    made = list(rows_for("item", rows))
    assert hits("grp", rows) == sum(row["grp"] == 42 for row in made)
    assert hits("score", rows) == sum(row["score"] > 9_899 for row in made)


def test_both_numbers_of_an_item_hit_one_in_a_hundred() -> None:
    assert hits("grp", 10_000) == hits("score", 10_000) == 100


def test_a_mix_has_ycsbs_proportions() -> None:
    assert {name: sorted(mix.values(), reverse=True) for name, mix in MIXES.items()} == {
        "ycsb-a": [0.5, 0.5],
        "ycsb-b": [0.95, 0.05],
        "ycsb-c": [1.0],
        "ycsb-d": [0.95, 0.05],
        "ycsb-e": [0.95, 0.05],
        "ycsb-f": [0.5, 0.5],
    }
    shapes = WORKLOADS["insert"].shapes
    assert [shape.processes for shape in shapes if shape.threads == 1] == [1, 2, 4, 8, 16]
    assert Shape(1, 8) in shapes
    assert WORKLOADS["recovery"].dataset == worker.FULL_LOG
