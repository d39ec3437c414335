"""The programs that are simulated: small, so that their schedules are many."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bazanite_stress.explore.catalogue import ONE, TABLES
from bazanite_stress.explore.schema_model import migrations_of
from bazanite_stress.explore.workload import Step, Workload

from .programs import Program, Thread

OPTIONS: dict[str, Any] = {"log_size_bytes": 8192, "commit_timeout": 0.5}
SETUP: list[Step] = [*ONE, ["insert", "t", {"a": 1, "v": "old"}]]


def _program(name: str, *processes: list[Thread], **more: Any) -> Program:
    options = OPTIONS | more.pop("options", {})
    tables = more.pop("tables", TABLES)
    migrations = [s for threads in processes for steps in threads for s in migrations_of(steps)]
    told = [s for i, s in enumerate(migrations) if s not in migrations[:i]]
    workload = Workload(name, tables, told, **({"setup": SETUP, "options": options} | more))
    return Program(workload, list(processes))


def _insert(value: str, **more: Any) -> Step:
    return ["insert", "a", {"v": value} | more]


def _update(value: str) -> Step:
    return ["update", "a", 1, {"v": value}]


_FIND: Step = ["find", "a", 1]
_ROWS: Step = ["rows", "a"]
_READ: Step = ["read"]
_MIGRATE: Step = [
    "migrate",
    1,
    [
        ["add_index", "a", ["n"]],
        ["add_column", "a", "w", ["char", 4], "w"],
        ["drop_column", "t", "v"],
    ],
]

RULED: dict[str, dict[str, list[Any]]] = {
    "a": {"v": ["char", 8, {"unique": True}], "n": ["int", {"index": True}]},
    "t": {"a": ["fk", "a", {"on_delete": "cascade", "index": True}], "v": ["text"]},
    "u": {"t": ["fk", "t", {"on_delete": "set_null"}]},
}
"""Tables of which the catalog demands something."""

SMALLEST = (
    "two inserts", "find beside update", "checkpoint beside insert", "rows beside a thread",
)  # fmt: skip
"""Those of which all schedules with two changes of turn are run."""

LONG = (
    "unique inserts", "delete beside a child", "deletes that reach further",
    "columns change beside finds", "index built beside writers", "two migrate",
)  # fmt: skip
"""Those with indexes, references and migrations, each of whose schedules takes long."""

PROGRAMS: dict[str, Program] = {
    program.name: program
    for program in (
        _program("two inserts", [[_insert("p")]], [[_insert("q")]]),
        _program("find beside update", [[_update("p")]], [[_FIND, _FIND]]),
        _program("checkpoint beside insert", [[["checkpoint"]]], [[_insert("q"), _FIND]]),
        _program(
            "transaction beside insert",
            [[_insert("p"), _FIND]],
            [[["transaction", [_insert("q"), _update("q")]], _READ]],
        ),
        _program(
            "writers and a reader",
            [[_insert("p"), _update("p"), _FIND]],
            [[["transaction", [_insert("q"), _update("q")]], _READ]],
            [[_FIND, ["rows", "a"], ["delete", "a", 1], _FIND]],
        ),
        _program(
            "openers",
            [[["open"], _insert("p"), ["close"]]],
            [[["open"], _insert("q"), _FIND, ["close"]]],
            [[["open"], _READ, ["close"], ["open"], _insert("r"), ["close"]]],
        ),
        # Whoever opens it beside a first opener that dies: two come close more often than three.
        _program("dying opener", [[["open"], _FIND]], [[["open"], _READ]]),
        # Who opens it last may find what others left of a sync and of a checkpoint.
        _program(
            "late opener",
            [[_insert("p")]],
            [[["open"], _insert("r")]],
            [[_insert("q"), ["checkpoint"]]],
        ),
        _program(
            "first openers",
            [[["open"], _insert("p"), _READ]],
            [[["open"], _insert("q"), ["close"]]],
            setup=None,
        ),
        _program(
            "fork",
            [[_insert("p"), ["fork", [_insert("child"), _READ]], _update("p"), _FIND]],
            [[["open"], _insert("q"), ["checkpoint"], _READ, ["close"]]],
        ),
        _program(
            "idle child",
            [[_insert("p"), ["fork", []], ["fork", [["close"]]], _update("p"), ["close"]]],
            [[_insert("q"), ["close"], ["open"], _READ]],
        ),
        _program(
            "threads",
            [[_insert("p"), _update("p")], [_insert("q"), ["find", "a", 2]]],
            [[_update("r"), _FIND], [_FIND, _READ]],
        ),
        _program(
            "fork beside threads",
            [
                [_insert("p"), ["fork", [_insert("child"), ["close"]]], _FIND],
                [_update("q"), _update("r"), _FIND],
            ],
            [[_insert("s"), _READ]],
        ),
        _program(
            "recycled log",
            [[["update", "t", 1, {"v": "x" * 300}], _update("p"), _FIND, _insert("p")]],
            [[["update", "t", 1, {"v": "y" * 200}], _update("q"), ["find", "t", 1]]],
            options={"checkpoint_bytes": 1024},
        ),
        _program(
            "refusals",
            [[["insert", "a", {"id": 5}], ["delete", "a", 5], ["find", "a", 5]]],
            [[["insert", "a", {"id": 5, "v": "q"}], ["delete", "a", 5]]],
            [[["rollback", [_update("never")]], ["delete", "a", 5], ["find", "a", 5]]],
        ),
        _program(
            "truncate",
            [[["truncate", "t", False], ["insert", "t", {"v": "first"}]]],
            [[["find", "t", 1], ["insert", "t", {"a": 1, "v": "new"}], ["find", "t", 1]]],
            [[["rows", "t"], ["truncate", "a", True], _READ]],
        ),
        _program(
            "under the lock",
            [[["lock", [_insert("p"), _update("p"), _FIND]]]],
            [[_update("q"), _FIND]],
            [[["lock", [_READ, ["delete", "a", 1]]]]],
        ),
        _program(
            "impatient",
            [[["lock", [_update("p"), _FIND]]]],
            [[_update("q"), _FIND, _update("r")]],
            [[["open"], _READ]],
            options={"lock_timeout": 0.0002},
        ),
        _program(
            "no power-safe overwrite",
            [[_insert("p"), _update("p")]],
            [[_insert("q"), _FIND, ["checkpoint"]]],
            options={"log_size_bytes": 32_768, "powersafe_overwrite": False},
        ),
        _program(
            "checksums",
            [[_insert("p"), ["insert", "t", {"v": "text"}]]],
            [[["find", "t", 1], _update("q"), _READ]],
            options={"checksums": True},
        ),
        _program(
            "normal",
            [[_insert("p"), _update("p"), ["checkpoint"]]],
            [[_insert("q"), _FIND, _READ]],
            [[["open"], _update("r"), ["close"]]],
            durability="normal",
        ),
        _program(
            "off",
            [[_insert("p"), _update("p"), ["checkpoint"]]],
            [[_insert("q"), _FIND, _READ]],
            [[["open"], _update("r"), ["close"]]],
            durability="off",
        ),
        # All rows are read under the lock, one by its id without.
        _program("rows beside a thread", [[_ROWS], [_update("p")]]),
        _program("rows beside update", [[_update("p")]], [[_ROWS]]),
        _program(
            "savepoints",
            [[["transaction", [_insert("p"), ["rollback", [_update("never")]], _insert("r")]]]],
            [
                [
                    [
                        "transaction",
                        [["rollback", [_insert("never")]], ["transaction", [_update("q")]]],
                    ]
                ]
            ],
            [[_READ, _FIND]],
        ),
        _program(
            "unique inserts",
            [[["insert", "a", {"v": "x"}], _ROWS]],
            [[["insert_many", "a", [{"v": "y"}, {"v": "x"}]], ["update", "a", 1, {"v": "x"}]]],
            [[["delete", "a", 2], _FIND]],
            tables=RULED,
        ),
        _program(
            "delete beside a child",
            [[["delete", "a", 1], ["rows", "t"]]],
            [[["insert", "t", {"a": 1, "v": "new"}], ["find", "t", 2]]],
            [[["update", "t", 1, {"v": "old"}], _READ]],
            tables=RULED,
        ),
        _program(
            "deletes that reach further",
            [[["delete", "a", 1], _READ]],
            [[["insert", "u", {"t": 1}], ["delete", "t", 1]]],
            [[["transaction", [["delete", "u", 1], ["insert", "t", {"a": 1}]]], ["rows", "u"]]],
            tables=RULED,
        ),
        _program(
            "columns change beside finds",
            [
                [
                    [
                        "migrate",
                        1,
                        [
                            ["change_column", "a", "n", ["char", 20], "str"],
                            ["drop_column", "a", "v"],
                        ],
                    ]
                ]
            ],
            [[_FIND, _FIND, _FIND, _FIND]],
            [[["update", "t", 1, {"v": "new"}], _FIND, _FIND]],
        ),
        _program(
            "index built beside writers",
            [[["migrate", 1, [["add_index", "a", ["n", "v"]], ["add_unique", "t", ["v"]]]]]],
            [[["insert", "a", {"v": "new", "n": 1}], ["delete", "a", 1], _READ]],
            [[["update", "a", 3, {"v": "moved"}], ["insert", "t", {"a": 2, "v": "text"}]]],
            setup=[*SETUP, ["insert_many", "a", [{"v": f"{n}", "n": n} for n in range(5)]]],
        ),
        _program(
            "two migrate",
            [[_MIGRATE, _ROWS]],
            [[_MIGRATE, ["find", "a", 2]]],
            [[["insert", "a", {"n": 5}], _READ]],
            setup=[*SETUP, ["insert_many", "a", [{"n": n} for n in range(3)]]],
        ),
        _program(
            "backup beside writers",
            [[["backup"], _FIND]],
            [[_insert("p"), _update("q"), ["checkpoint"], _insert("r")]],
            [[["update", "t", 1, {"v": "y" * 200}], ["delete", "a", 1]]],
        ),
        _program(
            "backups",
            [[["backup"], ["checkpoint"]]],
            [[_update("p"), ["backup"], _update("q")]],
            options={"checkpoint_bytes": 512},
        ),
        # One syncs under the lock, while the other one leads a sync without it.
        _program("threads that sync", [[_insert("p")], [["lock", [_insert("q")]]]]),
        # Who only reads keeps nobody away, not even first openers.
        _program(
            "read-only beside writers",
            [[["look"], _FIND, _READ, _FIND, _ROWS]],
            [[_insert("p"), _update("p"), ["checkpoint"]]],
            [[_update("q"), ["delete", "a", 1], _FIND]],
        ),
        # Under the lock one could see what others, who read without it, do not see yet.
        _program(
            "read-only beside readers",
            [[["look"], _READ, _FIND, _READ]],
            [[_FIND, _FIND, _FIND, _FIND]],
            [[_update("p"), _update("q")]],
        ),
        _program(
            "read-only beside openers",
            [[["look"], _FIND, _READ, _FIND, _FIND, ["close"], ["look"], _READ]],
            [[["open"], _update("p"), ["close"], ["open"], _update("r"), ["close"]]],
            [[["open"], _update("q"), ["close"]]],
        ),
        _program(
            "read-only threads and a child",
            [[["look"], _FIND, ["fork", [_FIND, _READ]], _FIND], [_FIND, _READ, _FIND]],
            [[["open"], _update("p"), ["checkpoint"], _insert("p"), ["close"]]],
        ),
        _program(
            "read-only beside normal",
            [[["look"], _FIND, _READ, _FIND]],
            [[_insert("p"), _update("p"), ["checkpoint"]]],
            [[["open"], _update("q"), ["close"]]],
            durability="normal",
        ),
        _program(
            "read-only beside off",
            [[["look"], _FIND, _READ, _FIND]],
            [[_insert("p"), _update("p"), ["checkpoint"]]],
            [[["open"], _update("q"), ["close"]]],
            durability="off",
        ),
        _program(
            "read-only beside a migration",
            [[["look"], _FIND, _FIND, _READ, _FIND]],
            [[_MIGRATE]],
            [[["open"], _update("p"), ["close"]]],
        ),
    )
}


def smaller(program: Program) -> list[Program]:
    """The same with a step, a thread, or a process less, the greatest simplification first."""
    result: list[Program] = []
    for i in range(len(program.processes)):
        rest = [*program.processes[:i], *program.processes[i + 1 :]]
        if rest:
            result.append(replace(program, processes=rest))
    for i, threads in enumerate(program.processes):
        for j, steps in enumerate(threads):
            fewer = [[*threads[:j], *threads[j + 1 :]]] if len(threads) > 1 else []
            fewer += [
                [*threads[:j], [*steps[:k], *steps[k + 1 :]], *threads[j + 1 :]]
                for k in reversed(range(len(steps)))
            ]
            for changed in fewer:
                processes = [*program.processes[:i], changed, *program.processes[i + 1 :]]
                result.append(replace(program, processes=processes))
    return result
