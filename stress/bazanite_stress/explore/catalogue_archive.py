"""Workloads with a log archive: what leaves the log is kept, wherever the power goes.

Each turns it on last thing in its setup, so that all of it is judged (``archive_judge``); with
little to keep, so that segments are full after a few checkpoints, but none is removed.
"""

from __future__ import annotations

from typing import Any

from .workload import Step, Workload

_TABLES: dict[str, dict[str, list[Any]]] = {
    "a": {"v": ["char", 8], "n": ["int"]},
    "t": {"a": ["fk", "a"], "v": ["text"]},
}
_KEEP = 24_000
"""Makes segments of 4 KiB; the workloads write less than this."""
_SETUP: list[Step] = [
    ["insert", "a", {"v": "one", "n": 1}],
    ["insert", "t", {"a": 1, "v": "text"}],
    ["archive", _KEEP],
]


def _archived(name: str, *steps: Step, **more: Any) -> Workload:
    return Workload(f"archive, {name}", _TABLES, list(steps), **({"setup": _SETUP} | more))


ARCHIVE: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        _archived(
            "rows",
            ["insert", "t", {"a": 1, "v": "two"}],
            ["checkpoint"],
            ["update", "t", 1, {"v": "texts"}],
            ["update", "t", 2, {"v": "tw", "id": 7}],
            ["checkpoint"],
            ["delete", "t", 1],
        ),
        _archived(
            "reopened",
            ["update", "a", 1, {"v": "two"}],
            ["reopen"],
            ["transaction", [["insert", "a", {"v": "x"}], ["delete", "t", 1]]],
            ["checkpoint"],
            ["truncate", "t", False],
        ),
        _archived(
            # Each fills a segment, so the next one begins at once.
            "segments",
            ["insert", "t", {"v": "x" * 4500}],
            ["checkpoint"],
            ["update", "t", 2, {"v": "y" * 4500}],
            ["checkpoint"],
            ["update", "a", 1, {"v": "last"}],
        ),
        _archived(
            "normal",
            ["insert", "t", {"a": 1, "v": "two"}],
            ["update", "a", 1, {"n": 2}],
            ["checkpoint"],
            ["update", "t", 1, {"v": None}],
            durability="normal",
        ),
    )
}
