"""Simpler workloads than a given one, the greatest simplifications first.  Pure: nothing is run.

Steps and parts of the setup go (in halves, quarters, ... single ones, also within groups), groups
are opened, tables, columns and options go, then values and ids become the plainest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from .workload import GROUPS, Columns, Step, Workload, all_steps
from .workload_check import WrongWorkload, check_workload

_ROWS = {"insert": 2, "update": 3}
"""Where a step's values stand."""
_BY_ID = ("update", "delete", "find")


def api_calls(workload: Workload) -> int:
    """How many calls it takes: the setup's and the steps', those within groups included."""
    return sum(1 for _ in all_steps([*(workload.setup or ()), *workload.steps]))


def simpler(workload: Workload) -> Iterator[Workload]:
    """Each is one simplification away, and can be carried out."""
    for candidate in _simpler(workload):
        if not workload.migrates or _is_possible(candidate):
            yield candidate


def _is_possible(workload: Workload) -> bool:
    """Whether it is legal: without a step of a migration others may name what is not there."""
    try:
        check_workload(workload)
    except WrongWorkload:
        return False
    return True


def _simpler(workload: Workload) -> Iterator[Workload]:
    for steps in _shorter(workload.steps):
        yield replace(workload, steps=steps)
    for setup in _shorter(workload.setup or []):
        yield replace(workload, setup=setup)
    yield from _fewer_tables(workload)
    yield from _fewer_columns(workload)
    for name in workload.options:
        if name != "log_size_bytes":  # the default would only be slower
            rest = {n: value for n, value in workload.options.items() if n != name}
            yield replace(workload, options=rest)
    for steps in _plainer(workload.steps):
        yield replace(workload, steps=steps)
    for setup in _plainer(workload.setup or []):
        yield replace(workload, setup=setup)


def _shorter(steps: list[Step]) -> Iterator[list[Step]]:
    """Without some run of steps, or with a group opened or shorter."""
    size = len(steps)
    while size:
        for start in range(0, len(steps), size):
            yield [*steps[:start], *steps[start + size :]]
        size //= 2
    for i, step in enumerate(steps):
        before, after = steps[:i], steps[i + 1 :]
        if step[0] == "migrate":
            for changes in _shorter(step[2]):
                yield [*before, [*step[:2], changes], *after]
        if step[0] not in GROUPS:
            continue
        yield [*before, *step[1], *after]
        for inner in _shorter(step[1]):
            yield [*before, [step[0], inner], *after]


def _fewer_tables(workload: Workload) -> Iterator[Workload]:
    steps = [*all_steps([*(workload.setup or ()), *workload.steps])]
    used = {
        step[1] for step in steps if step[0] not in GROUPS and step[0] != "migrate" and step[1:]
    }
    used |= {change[1] for step in steps if step[0] == "migrate" for change in step[2]}
    for name in workload.tables:
        rest = {n: columns for n, columns in workload.tables.items() if n != name}
        refers = any(kind[:2] == ["fk", name] for c in rest.values() for kind in c.values())
        if rest and name not in used and not refers:
            yield replace(workload, tables=rest)


def _fewer_columns(workload: Workload) -> Iterator[Workload]:
    for table, columns in workload.tables.items():
        for column in columns:
            rest: Columns = {name: kind for name, kind in columns.items() if name != column}
            if not rest:
                continue

            def without(values: dict[str, Any], name: str = column) -> dict[str, Any]:
                return {n: value for n, value in values.items() if n != name}

            yield replace(
                workload,
                tables={**workload.tables, table: rest},
                steps=_with_values(workload.steps, table, without),
                setup=workload.setup and _with_values(workload.setup, table, without),
            )


def _with_values(
    steps: list[Step], table: str, change: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[Step]:
    result: list[Step] = []
    for step in steps:
        if step[0] in GROUPS:
            result.append([step[0], _with_values(step[1], table, change)])
        elif step[0] in _ROWS and step[1] == table:
            at = _ROWS[step[0]]
            result.append([*step[:at], change(step[at])])
        elif step[0] == "insert_many" and step[1] == table:
            result.append([*step[:2], [change(values) for values in step[2]]])
        else:
            result.append(step)
    return result


def _plainer(steps: list[Step]) -> Iterator[list[Step]]:
    """One value, id or number of rows plainer."""
    for i, step in enumerate(steps):
        for plain in _plainer_step(step):
            yield [*steps[:i], plain, *steps[i + 1 :]]


def _plainer_step(step: Step) -> Iterator[Step]:
    if step[0] in GROUPS:
        for inner in _plainer(step[1]):
            yield [step[0], inner]
    elif step[0] == "insert_many":
        for rows in _shorter([[values] for values in step[2]]):
            yield [*step[:2], [values for (values,) in rows]]
        if len(step[2]) == 1:
            yield ["insert", step[1], step[2][0]]
    if step[0] in _BY_ID and step[2] > 1:
        yield [*step[:2], 1, *step[3:]]
    if step[0] in _ROWS:
        at = _ROWS[step[0]]
        for values in _plainer_values(step[at]):
            yield [*step[:at], values]


def _plainer_values(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in values.items():
        yield {n: v for n, v in values.items() if n != name}
        for plain in _plainer_value(value):
            yield {**values, name: plain}


def _plainer_value(value: Any) -> Iterator[Any]:
    if isinstance(value, str) and len(value) > 1:
        yield "x"
        yield "x" * (len(value) // 2)
        if value != "x" * len(value):
            yield "x" * len(value)
    elif isinstance(value, int) and not isinstance(value, bool) and value not in {0, 1}:
        yield 1
