"""Workloads that change the schema: every change, and indexes that are built bit by bit."""

from __future__ import annotations

from typing import Any

from .workload import Step, Workload

TABLES: dict[str, dict[str, list[Any]]] = {
    "a": {"v": ["char", 8], "n": ["int"]},
    "t": {"a": ["fk", "a"], "v": ["text"]},
    "b": {"n": ["int", 4]},
}
SETUP: list[Step] = [
    ["insert_many", "a", [{"v": "one", "n": 1}, {"v": "two", "n": 1}, {"v": "gone"}, {"n": 3}]],
    ["delete", "a", 3],
    ["insert_many", "t", [{"a": 1, "v": "of one"}, {"a": 2, "v": "of two"}]],
    ["insert", "b", {"n": 7}],
]
_CHECKED = {"log_size_bytes": 8192, "checksums": True}


def _workload(name: str, *steps: Step, **more: Any) -> Workload:
    return Workload(name, TABLES, list(steps), **({"setup": SETUP} | more))


SCHEMA: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        _workload(
            "columns changed",
            [
                "migrate",
                1,
                [
                    ["add_column", "a", "w", ["char", 12], "new"],
                    ["change_column", "a", "n", ["char", 6], "str"],
                ],
            ],
            ["insert", "a", {"w": "more", "n": "12"}],
            [
                "migrate",
                2,
                [
                    ["drop_column", "t", "v"],
                    ["rename_column", "a", "w", "x"],
                    ["change_column", "a", "v", ["text"]],
                ],
            ],
            ["update", "a", 1, {"x": "renamed", "v": "longer than it was"}],
        ),
        _workload(
            "one migration", ["migrate", 1, [["drop_column", "t", "v"], ["add_index", "b", ["n"]]]]
        ),
        _workload(
            "index built",
            ["migrate", 1, [["add_index", "a", ["n", "v"]]]],
            ["insert", "a", {"v": "new", "n": 1}],
            ["delete", "a", 2],
        ),
        _workload(
            "unique built",
            [
                "migrate",
                1,
                [
                    ["add_unique", "a", ["v"]],
                    ["add_unique", "a", ["n"]],
                    ["drop_unique", "a", ["v"]],
                ],
            ],
            ["insert", "a", {"v": "one"}],
            ["migrate", 2, [["drop_unique", "a", ["v"]]]],
        ),
        _workload(
            "mixed changes",
            [
                "migrate",
                1,
                [
                    ["rename_column", "a", "v", "w"],
                    ["add_index", "a", ["w"]],
                    ["add_column", "a", "t", ["fk", "t"]],
                    ["drop_index", "a", ["w"]],
                ],
            ],
            ["update", "a", 1, {"t": 2, "w": "uno"}],
            [
                "migrate",
                1,
                [
                    ["rename_column", "a", "v", "w"],
                    ["add_index", "a", ["w"]],
                    ["add_column", "a", "t", ["fk", "t"]],
                    ["drop_index", "a", ["w"]],
                ],
            ],
        ),
        _workload(
            "tables changed",
            ["migrate", 1, [["rename_table", "b", "c"], ["set_on_delete", "t", "a", "cascade"]]],
            ["delete", "a", 1],
            ["migrate", 2, [["drop_table", "c"], ["set_on_delete", "t", "a", "restrict"]]],
            ["delete", "a", 2],
        ),
        _workload(
            "changes refused",
            ["migrate", 1, [["add_column", "b", "m", ["int"]], ["drop_column", "b", "v"]]],
            ["migrate", 2, [["drop_column", "b", "n"], ["add_unique", "a", ["n"]]]],
            ["insert", "b", {}],
        ),
        _workload(
            "changes with checksums",
            [
                "migrate",
                1,
                [["add_index", "a", ["v"]], ["drop_column", "t", "v"], ["rename_table", "b", "c"]],
            ],
            ["insert", "a", {"v": "new"}],
            options=_CHECKED,
        ),
        _workload(
            "changes, normal",
            ["migrate", 1, [["change_column", "b", "n", ["int"]], ["add_index", "a", ["n"]]]],
            ["insert", "b", {"n": 123_456}],
            durability="normal",
        ),
    )
}
