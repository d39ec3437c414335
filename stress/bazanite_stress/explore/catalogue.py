"""The workloads that are explored, and the family of all short ones.

Small tables and an 8 KiB log, so that sectors are shared, slots are reused and the log is recycled
within a few calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from .catalogue_archive import ARCHIVE
from .catalogue_rules import RULES
from .catalogue_schema import SCHEMA
from .catalogue_vacuum import VACUUM
from .workload import Step, Workload

TABLES: dict[str, dict[str, list[Any]]] = {
    "a": {"v": ["char", 8], "n": ["int"]},
    "t": {"a": ["fk", "a"], "v": ["text"]},
}
ONE: list[Step] = [["insert", "a", {"v": "one", "n": 1}]]
"""What most workloads find in the directory."""

_LONG = "x" * 700
"""A text whose frame covers several sectors."""
_SMALL = {"log_size_bytes": 8192}
_CHECKED = {"log_size_bytes": 8192, "checksums": True}
_FAR = 116_600
"""An id so far behind the others that the index has a hole in between (1 MiB and more)."""


def _workload(name: str, *steps: Step, **more: Any) -> Workload:
    return Workload(name, TABLES, list(steps), **({"setup": ONE} | more))


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        _workload("creation", ["insert", "a", {"v": "x"}], setup=None),
        _workload(
            "rows",
            ["insert", "a", {"v": "two"}],
            ["update", "a", 1, {"v": "three", "n": -5}],
            ["insert", "a", {"id": 9, "v": "nine"}],
            ["delete", "a", 1],
        ),
        _workload(
            "three",
            ["insert", "t", {"a": 1, "v": "hello"}],
            ["update", "t", 1, {"v": "hello, world"}],
            ["delete", "t", 1],
            ["checkpoint"],
        ),
        _workload(
            "two tables",
            ["transaction", [["insert", "a", {"v": "two"}], ["insert", "t", {"a": 2, "v": "ü"}]]],
            ["transaction", [["update", "a", 2, {"n": 7}], ["delete", "t", 1]]],
        ),
        _workload(
            "slot reuse",
            ["delete", "a", 1],
            ["insert", "a", {"v": "new"}],
            ["insert", "a", {"v": "more"}],
            ["checkpoint"],
            ["delete", "a", 2],
            ["insert", "a", {"v": "again"}],
        ),
        _workload(
            "long frames",
            ["insert", "t", {"v": _LONG}],
            ["insert", "t", {"v": _LONG[:600] + "é" * 40}],
            ["update", "t", 1, {"v": "short"}],
        ),
        _workload(
            "equal frames",
            ["update", "a", 1, {"v": "aaaa"}],
            ["update", "a", 1, {"v": "bbbb"}],
            ["checkpoint"],
            ["update", "a", 1, {"v": "cccc"}],
            ["reopen"],
            ["update", "a", 1, {"v": "dddd"}],
        ),
        _workload(
            "truncate",
            ["insert", "t", {"a": 1, "v": "gone"}],
            ["truncate", "t", False],
            ["insert", "t", {"v": "first again"}],
            ["truncate", "a", True],
        ),
        _workload(
            "rollback",
            ["rollback", [["insert", "a", {"v": "never"}], ["delete", "a", 1]]],
            ["insert", "a", {"v": "two"}],
            ["rollback", [["truncate", "a", True]]],
        ),
        _workload(
            "savepoints",
            [
                "transaction",
                [
                    ["insert", "a", {"v": "two"}],
                    ["rollback", [["update", "a", 2, {"v": "undone"}], ["delete", "a", 1]]],
                    ["transaction", [["insert", "t", {"a": 2, "v": "kept"}]]],
                ],
            ],
        ),
        _workload(
            "under the lock",
            ["lock", [["insert", "a", {"v": "two"}], ["update", "a", 2, {"n": 2}]]],
        ),
        _workload(
            "recycled log",
            *(["update", "a", 1, {"v": f"value {i}"}] for i in range(12)),
            options={"log_size_bytes": 8192, "checkpoint_bytes": 1024},
        ),
        _workload(
            # Behind the place where the log is cut again stands what the first frame does not know,
            # and the text is longer than what is read of one at once.
            "grown log",
            ["update", "a", 1, {"v": "before"}],
            ["insert", "t", {"v": "y" * 17_000}],
            ["update", "a", 1, {"v": "after"}],
            ["checkpoint"],
        ),
        _workload(
            "normal",
            ["insert", "a", {"v": "two"}],
            ["update", "a", 1, {"v": "three"}],
            ["checkpoint"],
            ["insert", "t", {"a": 1, "v": "four"}],
            durability="normal",
        ),
        _workload(
            "normal, locked",
            ["insert", "a", {"v": "two"}],
            ["lock", [["update", "a", 1, {"v": "three"}]]],
            ["insert", "t", {"a": 1, "v": "four"}],
            ["lock", []],
            ["update", "a", 2, {"n": 5}],
            durability="normal",
        ),
        _workload(
            # So long that its frame can be lost while the line of the next one is not.
            "normal, grown log",
            ["insert", "t", {"a": 1, "v": "y" * 9000}],
            ["insert", "a", {"v": "two"}],
            durability="normal",
        ),
        _workload(
            "off",
            ["insert", "a", {"v": "two"}],
            ["checkpoint"],
            ["update", "a", 1, {"v": "three"}],
            ["checkpoint"],
            durability="off",
        ),
        _workload(
            # Ids of one digit and of two, so that a shorter number takes a longer one's place.
            "many rows",
            ["insert_many", "a", [{"v": f"row {i}"} for i in range(4)]],
            ["update", "a", 8, {"id": 30, "v": "moved"}],
            ["insert_many", "a", [{"v": "none"}, {"id": 3}]],
            ["insert_many", "a", [{"id": 20}, {"id": 20}]],
            ["delete", "a", 1],
            ["truncate", "a", True],
            ["insert", "a", {"v": "again"}],
            setup=[["insert", "a", {"id": i + 1}] for i in range(7, 9)]
            + [["insert", "a", {}] for _ in range(6)],
        ),
        _workload(
            "emptied and filled",
            ["update", "t", 1, {"v": None}],
            [
                "transaction",
                [
                    ["update", "t", 1, {"v": "in between"}],
                    ["truncate", "t", False],
                    ["insert", "t", {"v": "after"}],
                    ["delete", "t", 1],
                    ["insert", "t", {"a": 1, "v": "last"}],
                ],
            ],
            setup=[*ONE, ["insert", "t", {"a": 1, "v": "a value that is longer than most"}]],
        ),
        Workload(
            "cascade",
            {**TABLES, "u": {"t": ["fk", "t"], "u": ["fk", "u"]}},
            [["truncate", "a", True], ["insert", "u", {}]],
            [*ONE, ["insert", "t", {"a": 1}], ["insert", "u", {"t": 1}]],
        ),
        _workload(
            "far",
            ["insert", "a", {"id": _FAR, "v": "far"}],
            ["transaction", [["truncate", "a", True], ["insert", "a", {"id": _FAR + 1}]]],
        ),
        _workload("second table", ["insert", "t", {"a": 1}], before={"tables": ["a"]}),
        _workload(
            "adopted",
            ["update", "a", 1, {"v": "ours"}],
            ["insert", "a", {}],
            setup=[*ONE, ["insert", "a", {"v": "gone"}], ["delete", "a", 2]],
            before={"bazoola": True},
        ),
        _workload(
            "checksums",
            ["insert", "t", {"a": 1, "v": "hello"}],
            ["delete", "a", 1],
            ["truncate", "t", False],
            options=_CHECKED,
            before={"options": _SMALL},
        ),
        _workload(
            "no checksums",
            ["insert", "a", {"v": "two"}],
            options={**_SMALL, "checksums": False},
            before={"options": _CHECKED},
        ),
        _workload(
            "six",
            ["insert", "t", {"a": 1, "v": "1"}],
            ["insert", "t", {"v": "two two"}],
            ["checkpoint"],
            ["update", "t", 1, {"v": "one"}],
            ["transaction", [["insert", "a", {"v": "2"}], ["update", "t", 2, {"a": 2}]]],
            ["checkpoint"],
            ["delete", "t", 2],
            ["insert", "t", {"v": "3"}],
        ),
    )
}

WORKLOADS |= RULES | SCHEMA | ARCHIVE | VACUUM

CALLS: dict[str, Step] = {
    "insert": ["insert", "t", {"a": 1, "v": "new"}],
    "update": ["update", "t", 1, {"v": "changed"}],
    "delete": ["delete", "t", 1],
    "two tables": ["transaction", [["insert", "a", {"v": "b"}], ["update", "t", 1, {"a": None}]]],
    "rolled back": ["rollback", [["insert", "t", {"v": "never"}], ["delete", "a", 1]]],
    "checkpoint": ["checkpoint"],
    "reopen": ["reopen"],
    "truncate": ["truncate", "t", False],
}
"""The calls of which every short sequence is explored."""

_FAMILY_SETUP: list[Step] = [*ONE, ["insert", "t", {"a": 1, "v": "old"}]]


def family(longest: int = 3, starts: tuple[str, ...] = tuple(CALLS)) -> Iterator[Workload]:
    """Every sequence of 1 to ``longest`` calls that begins with one of ``starts``.

    What a sequence shares with a shorter one is explored there: here only its last call, and the
    close after it.
    """
    for length in range(1, longest + 1):
        for names in product(starts, *[CALLS] * (length - 1)):
            yield Workload(
                ", ".join(names),
                TABLES,
                [CALLS[name] for name in names],
                _FAMILY_SETUP,
                explore_from=length - 1,
            )
