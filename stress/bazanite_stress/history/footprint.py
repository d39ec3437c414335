"""Which rows a call may read or change: what can have to do with what, seen from the outside."""

from __future__ import annotations

from collections.abc import Iterable

from bazanite_stress.explore.workload import GROUPS, Step

ALL = -1
"""In place of an id: any row of the table, also one that is not there yet."""

Footprint = frozenset[tuple[str, int]]
"""Rows by table and id.  ("", ALL): all rows of all tables."""

EVERYTHING: Footprint = frozenset([("", ALL)])


def footprint(step: Step) -> Footprint:
    """The rows of one call; those of a group are those of all its calls."""
    name, *arguments = step
    if name in GROUPS:
        return frozenset().union(*map(footprint, arguments[0]))
    if name in ("insert", "insert_many", "rows", "truncate"):
        # a new row takes the next id; a reference may be to any table
        return EVERYTHING if name == "truncate" and arguments[1] else _whole(arguments)
    if name in ("update", "delete", "find"):
        rows = {(arguments[0], arguments[1])}
        moved = arguments[2].get("id") if name == "update" else None
        return frozenset(rows if moved is None else rows | {(arguments[0], moved)})
    return EVERYTHING


def _whole(arguments: list[object]) -> Footprint:
    return frozenset([(str(arguments[0]), ALL)])


def meet(one: Footprint, other: Footprint) -> bool:
    """Whether there is a row that both may touch."""
    if one & other:
        return True
    return _covers(one, other) or _covers(other, one)


def _covers(one: Footprint, other: Footprint) -> bool:
    whole = {table for table, number in one if number == ALL}
    return "" in whole or any(table in whole for table, _ in other)


def joined(steps: Iterable[Step]) -> Footprint:
    """The rows of several calls."""
    return frozenset().union(*map(footprint, steps))
