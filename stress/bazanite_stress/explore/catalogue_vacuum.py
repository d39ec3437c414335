"""Workloads of a vacuum, each step of which is a transaction of its own."""

from __future__ import annotations

from typing import Any

from .workload import Step, Workload

TABLES: dict[str, dict[str, list[Any]]] = {
    "a": {"v": ["char", 8, {"unique": True}], "n": ["int", {"index": True}]},
    "t": {"a": ["fk", "a"], "v": ["text"], "w": ["text"]},
}
_SETUP: list[Step] = [
    ["insert_many", "a", [{"v": f"v{number}", "n": number % 2} for number in range(9)]],
    [
        "insert_many",
        "t",
        [{"a": number, "v": "v" * number, "w": f"w{number}" * 9} for number in range(1, 9)],
    ],
    *(["delete", "a", number] for number in (1, 3, 4, 8)),
    *(["delete", "t", number] for number in (1, 2, 5)),
    ["update", "t", 4, {"v": "longer than it was, so that it moves to the end"}],
]
_CHECKED = {"log_size_bytes": 8192, "checksums": True}


def _workload(name: str, *steps: Step, **more: Any) -> Workload:
    return Workload(name, TABLES, list(steps), **({"setup": _SETUP} | more))


VACUUM: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        _workload("vacuum", ["vacuum", "t"], ["insert", "t", {"v": "new", "a": 2}]),
        _workload(
            "vacuum of indexes",
            ["vacuum", "a"],
            ["insert", "a", {"v": "v0"}],
            ["update", "a", 2, {"v": "v3"}],
        ),
        _workload(
            "vacuum and others",
            ["transaction", [["delete", "t", 7], ["vacuum", "t"], ["insert", "t", {"w": "x"}]]],
            ["rollback", [["vacuum", "a"], ["delete", "a", 9]]],
            ["checkpoint"],
            ["vacuum", "a"],
        ),
        _workload("vacuum, checksums", ["vacuum", "t"], ["vacuum", "a"], options=_CHECKED),
        _workload("vacuum, normal", ["vacuum", "t"], ["read"], durability="normal"),
        _workload(
            "archive, vacuum",
            ["vacuum", "t"],
            ["checkpoint"],
            ["update", "t", 3, {"v": "behind it"}],
            setup=[["archive", 1 << 20], *_SETUP],
        ),
    )
}
