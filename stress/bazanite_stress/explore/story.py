"""A violation in words: one sentence, and a table of the rows that were expected and found."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import Any

from .again import POWER_CUT, kind_of, module_for
from .explorer import NO_CRASH, WRONG_ANSWER, Violation
from .workload import GROUPS, Step

NO_MOMENT = {
    "damage": "With {what}",
    "odd input": "Given input {number} of seed {seed} ({input})",
    "schedule": "When {what}",
}
"""What stands for the moment where nothing crashes while anybody works: how the story begins."""

_MOST_LOST = 3
_MOST_STATES = 2
_WIDEST = 60
_LONGEST_RULE = 120
_ROW = re.compile(r"\{.*?\}(?=, \{|$)")
_ID = re.compile(r"\bid: (\d+)\b")
_TABLE = re.compile(r"(\w+): (no rows|\{.*\})")


def story(violation: Violation) -> str:
    """What happened and which rule it breaks, in one sentence."""
    return f"{_sentence(violation).rstrip('.')}."


def _sentence(violation: Violation) -> str:
    if violation.rule in NO_CRASH and kind_of(violation) == POWER_CUT:
        what = "" if violation.rule == WRONG_ANSWER else f" ({violation.point.what})"
        found = _short(violation.found, _LONGEST_RULE)
        return f"Without any crash, {violation.rule}{what}: {found}"
    kind, rule = kind_of(violation), _short(violation.rule, _LONGEST_RULE)
    if kind == POWER_CUT:
        return f"Cut the power {_moment(violation)}{_lost(violation)}: {rule}"
    if kind in NO_MOMENT:
        begun = f"{NO_MOMENT[kind].format(**violation.how)} {violation.point.what}"
        return f"{begun.rstrip()}: {rule}"
    told = getattr(module_for(kind), "told", None)
    if told is not None:
        return f"{told(violation)}{_lost(violation)}: {rule}"
    details = ", ".join(
        str(v) if k == "fault" else f"{k} {v}"
        for k, v in besides(violation).items()
        if k != "kind" and v != ""
    )
    return f"A {kind} ({details}) {_moment(violation)}{_lost(violation)}: {rule}"


def besides(violation: Violation) -> dict[str, Any]:
    """What happened besides the workload, for a person, without what only leads to it again."""
    hidden = ("limits", "limit", "directory")
    found = {k: v for k, v in violation.how.items() if k not in hidden and v not in ([], ())}
    if isinstance(found.get("fault"), dict):
        found["fault"] = _fault_text(found["fault"])
        found.pop("doing", None)  # the moment says it
    return found


def _fault_text(fault: dict[str, Any]) -> str:
    """What went wrong at a call, of its replay file's form: see ``faults.Fault``."""
    parts = [f"{fault.get('kind')} at call {fault.get('call')}"]
    if fault.get("detail"):
        parts.append(str(fault["detail"]))
    if fault.get("sector") is not None:
        parts.append(f"sector {fault['sector']} {fault.get('other')}")
    if fault.get("persistent"):
        parts.append("and from there on")
    return ", ".join(parts)


def _moment(violation: Violation) -> str:
    what, steps, step = violation.point.what, violation.workload.steps, violation.point.step
    if what.endswith(" returned") and 0 < step <= len(steps):
        return f"when {step_text(steps[step - 1])} has returned"
    if what in {"opened", "closed"}:
        return f"when the database is {what}"
    during = f"during {step_text(steps[step])}" if step < len(steps) else "during the close"
    if step == 0 and steps:
        during = f"while opening or {during}"
    if not steps:
        during = "while opening or closing"
    return f"{what}, {during}"


def step_text(step: Step) -> str:
    """A step as a person says it."""
    name, *arguments = step
    if name in GROUPS:
        return f"the {name} of {', '.join(map(step_text, arguments[0])) or 'nothing'}"
    shown = ", ".join(map(repr, arguments))
    return _short(f"{name}({shown})")


def _lost(violation: Violation) -> str:
    lost = violation.lost
    if not lost:
        return ""
    more = f" and {len(lost) - _MOST_LOST} more" if len(lost) > _MOST_LOST else ""
    return f", {', '.join(lost[:_MOST_LOST])}{more} not on disk"


def rows_table(violation: Violation) -> str:
    """Expected and found rows side by side, in columns; several states may be right."""
    shown = [*violation.expected[:_MOST_STATES]]
    if len(violation.expected) > _MOST_STATES:
        shown[-1] = violation.expected[-1]
    found = violation.found
    if not shown:  # no state is right: a call's answer, or nothing that may be left
        return f"found: {found}"
    headings = ["", "expected", *["or"] * (len(shown) - 1), "found"]
    states = [_rows(text) for text in [*shown, found]]
    comparable = bool(_rows(found))
    keys = sorted({key for state in states for key in state})
    tables = {table for state in states for table, number in state if number}
    lines = [headings] if comparable else [headings[:-1]]
    for table, number in keys:
        if not number and table in tables:
            continue
        cells = [_short(state.get((table, number), "-")) for state in states]
        lines.append([table, *(cells if comparable else cells[:-1])])
    widths = [max(map(len, column)) for column in zip_longest(*lines, fillvalue="")]
    text = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
            for row in lines]  # fmt: skip
    if not comparable:
        text.append(f"found: {found}")
    if len(violation.expected) > _MOST_STATES:
        text.append(f"({len(violation.expected)} states are right here: the first and the last)")
    return "\n".join(text)


def _rows(text: str) -> dict[tuple[str, int], str]:
    """Rows by table and id, of what ``describe`` said; empty for anything else."""
    found: dict[tuple[str, int], str] = {}
    for line in text.splitlines():
        match = _TABLE.fullmatch(line)
        if match is None:
            return {}
        table, rows = match.groups()
        if rows == "no rows":
            found[table, 0] = rows
        for row in _ROW.findall(rows):
            number = _ID.search(row)
            found[table, int(number[1]) if number else 0] = row
    return found


def _short(text: str, longest: int = _WIDEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
