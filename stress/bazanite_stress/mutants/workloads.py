"""Workloads that reach bugs which the catalogue's do not."""

from __future__ import annotations

from bazanite_stress.explore.catalogue import ONE, TABLES, WORKLOADS
from bazanite_stress.explore.workload import Step, Workload

SMALL = {"log_size_bytes": 8192}
UNALIGNED = {"log_size_bytes": 32_768, "powersafe_overwrite": False}


def _update(value: str) -> Step:
    return ["update", "a", 1, {"v": value}]


MORE: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        # Frames of equal length over a log that a checkpoint made stale, cut in its middle.
        Workload(
            "stale frames",
            TABLES,
            [
                *(_update(f"old {i}") for i in range(4)),
                ["checkpoint"],
                _update("new 0"),
                _update("new 1"),
            ],
            ONE,
        ),
        # Several frames that one sync covers: whole ones behind a lost one.
        Workload(
            "normal run",
            TABLES,
            [
                ["insert", "t", {"a": 1, "v": "x" * 600}],
                ["insert", "t", {"v": "y" * 600}],
                _update("last"),
            ],
            ONE,
            durability="normal",
        ),
        Workload(
            "short",
            TABLES,
            [
                ["insert", "t", {"a": 1, "v": "hello"}],
                _update("new"),
                ["insert", "a", {"id": 1}],
                ["checkpoint"],
                ["delete", "t", 1],
                ["checkpoint"],
            ],
            ONE,
        ),
        Workload(
            "equal normal",
            TABLES,
            # So long that the second frame ends where a sector does: it can be lost alone.
            [["insert", "t", {"a": 1, "v": "x" * 104}], _update("bbbb"), _update("cccc")],
            ONE,
            durability="normal",
        ),
        Workload(
            "short normal",
            TABLES,
            [
                ["insert", "t", {"a": 1, "v": "hello"}],
                ["checkpoint"],
                _update("new"),
            ],
            ONE,
            durability="normal",
        ),
        Workload(
            "short unaligned",
            TABLES,
            [["insert", "t", {"a": 1, "v": "hello"}], _update("new")],
            ONE,
            options=UNALIGNED,
        ),
    )
}

ALL: dict[str, Workload] = WORKLOADS | MORE
