"""The kill matrix for a person."""

from __future__ import annotations

from .bug import LETTERS
from .campaign import MOST_CALLS, MOST_SECTORS, Campaign, Kill, Result

_TITLE = 58


def as_line(result: Result) -> str:
    """One bug, for progress."""
    return f"{result.bug.number:3d} {_cut(result.bug.title):{_TITLE}} {_said(result)}"


def as_table(campaign: Campaign) -> str:
    """Bugs down, detectors across: x killed by it, . looked and saw nothing.

    Under C an x is a schedule's; o: played scenes saw it, and no schedule (or none was needed).
    """
    lines = [f"{'#':>3} {'planted bug':{_TITLE}} {' '.join(LETTERS)}  killed by"]
    for result in campaign.results:
        marks = " ".join(_mark(result, letter) for letter in LETTERS)
        number, title = result.bug.number, _cut(result.bug.title)
        lines.append(f"{number:3d} {title:{_TITLE}} {marks}  {_said(result)}")
    for result in campaign.results:
        reason = result.bug.equivalent if result.verdict == "equivalent" else ""
        reason = result.bug.pending if result.verdict == "pending" else reason or result.error
        if reason:
            lines.append(f"\n{result.bug.number} is {result.verdict}: {reason}")
    if campaign.too_large:
        most = f"{MOST_CALLS} calls and {MOST_SECTORS} sectors"
        lines.append(f"\nstill larger than {most}: {', '.join(campaign.too_large)}")
    return "\n".join([*lines, "", _totals(campaign)])


def _mark(result: Result, letter: str) -> str:
    ways = {kill.way for kill in result.kills if kill.letter == letter}
    if ways:
        return "o" if letter == "C" and "schedule" not in ways else "x"
    return "." if letter in result.looked else " "


def _totals(campaign: Campaign) -> str:
    middle = campaign.states_to_kill_median
    lines = [
        f"planted    {len(campaign.results)}",
        f"killed     {len(campaign.numbers('killed'))}",
        f"equivalent {_list(campaign.numbers('equivalent'))}",
        f"pending    {_list(campaign.numbers('pending'))}",
        f"survived   {_list(campaign.numbers('survived'))}",
        f"broken     {_list(campaign.numbers('harness broken'))}",
        f"median     {'-' if middle is None else f'{middle:g}'} states to the kill",
        f"seconds    {campaign.seconds:.1f}",
        "letters    T trace, I integrity, P power cut, E errors, N nested, K kill, C concurrency,",
        "           L locks",
    ]
    return "\n".join(lines)


def _said(result: Result) -> str:
    if not result.kills:
        return result.verdict.upper() if result.verdict != "pending" else "pending"
    kill = result.kills[0]
    pair = f", with {result.pair}" if result.pair is not None else ""
    seen = f"{kill.letter}, {kill.states} states, {kill.seconds:.1f} s{pair}"
    return "; ".join([seen, *(_stored(kill) for kill in result.kills if kill.stored)])


def _stored(kill: Kill) -> str:
    """What the kill's replay file came down to, or why there is none."""
    stored = kill.stored
    assert stored is not None
    if stored.problem:
        return f"{kill.letter} not stored: {stored.problem}"
    calls = f"{stored.calls} call{'s' * (stored.calls != 1)}"
    return f"{kill.letter} stored: {calls}, {stored.sectors} sector{'s' * (stored.sectors != 1)}"


def _list(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) or "none"


def _cut(title: str) -> str:
    return title if len(title) <= _TITLE else f"{title[: _TITLE - 3]}..."
