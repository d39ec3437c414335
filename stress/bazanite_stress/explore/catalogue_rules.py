"""Workloads of what the catalog demands of rows: unique values, indexes, and what deletes reach.

An index's node has 4096 bytes; so that it splits and is joined within a few calls, its keys are as
long as keys get, and the setup fills it up to the last entries.
"""

from __future__ import annotations

from typing import Any

from .workload import Step, Workload

LINKED: dict[str, dict[str, list[Any]]] = {
    "a": {"v": ["char", 8, {"unique": True}], "n": ["int", {"index": True}]},
    "t": {"a": ["fk", "a", {"on_delete": "cascade"}], "v": ["text"]},
    "u": {"t": ["fk", "t", {"on_delete": "set_null", "index": True}]},
    "r": {"a": ["fk", "a", {"on_delete": "restrict"}]},
}
"""``t`` goes with its ``a``, ``u`` lets go of its ``t``, ``r`` is in the way."""
FILLED: list[Step] = [
    ["insert_many", "a", [{"v": "one", "n": 1}, {"v": "two", "n": 1}, {"n": 1}]],
    ["insert_many", "t", [{"a": 1, "v": "of one"}, {"a": 2}, {"a": 1}]],
    ["insert_many", "u", [{"t": 1}, {"t": 2}, {"t": 3}]],
]
WIDE: dict[str, dict[str, list[Any]]] = {
    "a": {"n": ["int"]},
    "w": {
        "k": ["char", 64, {"unique": True}],
        "a": ["fk", "a", {"on_delete": "cascade", "index": True}],
    },
}
"""A leaf of ``w``'s longer index has room for some fifty entries."""
_CHECKED = {"log_size_bytes": 8192, "checksums": True}
_IN_A_LEAF = 44


def long_key(number: int) -> str:
    """A value whose key is as long as keys get."""
    return f"{number:03}".ljust(64, "x")


def wide_rows(numbers: range, a: int) -> list[dict[str, Any]]:
    """Rows of ``w`` with keys of these numbers."""
    return [{"k": long_key(number), "a": a} for number in numbers]


_WIDE_SETUP: list[Step] = [
    ["insert_many", "a", [{}, {}]],
    [
        "insert_many",
        "w",
        wide_rows(range(0, 2 * _IN_A_LEAF - 8, 2), 1) + wide_rows(range(1, 8, 2), 2),
    ],
]


def _linked(name: str, *steps: Step, **more: Any) -> Workload:
    return Workload(name, LINKED, list(steps), **({"setup": FILLED} | more))


def _wide(name: str, *steps: Step, **more: Any) -> Workload:
    return Workload(name, WIDE, list(steps), **({"setup": _WIDE_SETUP} | more))


RULES: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        _linked(
            "cascade delete",
            ["delete", "a", 1],
            ["insert", "u", {"t": 2}],
            ["insert", "t", {"a": 2, "v": "again"}],
            ["delete", "t", 2],
        ),
        _linked(
            "restricted delete",
            ["insert", "r", {"a": 1}],
            ["delete", "a", 1],
            ["transaction", [["delete", "a", 1], ["delete", "r", 1], ["delete", "a", 1]]],
            ["update", "a", 2, {"id": 9}],
            ["rollback", [["delete", "a", 2], ["insert", "a", {"v": "two"}]]],
        ),
        _linked(
            "unique",
            ["insert", "a", {"v": "one", "n": 2}],
            ["update", "a", 3, {"v": "two"}],
            [
                "transaction",
                [
                    ["update", "a", 1, {"v": "uno"}],
                    ["insert", "a", {"v": "two"}],
                    ["rollback", [["insert", "a", {"v": "three"}], ["delete", "a", 2]]],
                    ["insert", "a", {"v": "three", "n": 3}],
                    ["transaction", [["update", "a", 3, {"v": "one", "n": None}]]],
                ],
            ],
            ["rollback", [["insert", "a", {"v": "four"}], ["update", "a", 1, {"n": 7}]]],
            ["insert", "a", {"v": "four"}],
        ),
        _linked(
            "unique rows at once",
            ["insert_many", "a", [{"v": "x", "n": 5}, {"v": "x"}]],
            ["insert_many", "a", [{"v": "x", "n": 5}, {"v": "one"}]],
            ["insert_many", "a", [{"v": "x", "n": 5}, {"v": "y", "n": -5}, {}, {}]],
        ),
        _linked(
            "indexed",
            ["update", "a", 1, {"n": -1, "v": None}],
            ["delete", "u", 2],
            ["checkpoint"],
            ["insert", "u", {"t": 3}],
            ["truncate", "u", False],
            ["insert", "u", {"t": 1}],
            ["truncate", "a", True],
            ["insert", "a", {"v": "one"}],
        ),
        _linked(
            "indexed, normal",
            ["update", "a", 1, {"v": "uno", "n": 5}],
            ["delete", "a", 2],
            ["checkpoint"],
            ["insert", "a", {"v": "two"}],
            durability="normal",
        ),
        _linked(
            "indexes with checksums",
            ["update", "a", 3, {"v": "three", "n": 9}],
            ["delete", "a", 1],
            ["truncate", "a", True],
            ["insert", "a", {"v": "one", "n": 1}],
            options=_CHECKED,
        ),
        _wide(
            "index split", ["insert_many", "w", wide_rows(range(9, 33, 2), 2)], ["delete", "w", 7]
        ),
        _wide(
            "index joined",
            ["delete", "a", 1],
            ["insert", "w", {"k": long_key(0), "a": 2}],
            setup=[*_WIDE_SETUP, ["insert_many", "w", wide_rows(range(9, 33, 2), 1)]],
        ),
        _linked("one delete", ["delete", "a", 1]),
        Workload(
            "new indexes",
            LINKED,
            [["insert", "a", {"v": "one"}], ["insert", "a", {"v": "one"}]],
            None,
        ),
    )
}
