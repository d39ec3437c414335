"""A run of a torture harness made by hand, and a page as a browser would find it."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from bazanite_stress.crowd.moments import EVERYBODY
from bazanite_stress.crowd.record import Record
from bazanite_stress.history.events import Event
from bazanite_stress.torture.chronicle import (
    SHARED_ROWS,
    Chronicle,
)
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.report import Tally, Violation

MS = 1_000_000
NASTY = "</script><img src=x onerror=alert(1)>&\"'\x00\x1b[31m"


def commit(who: str, start: int, end: int, lsn: int) -> Event:
    return Event(who, ["insert", "t", {"v": NASTY}], start * MS, end * MS, 1, lsn=lsn)


def a_record() -> Record:
    """Two slots; all die at 50 ms, the first to come dies in its recovery, the next one lives."""
    events = [
        commit("0.1", 1, 11, 100),
        commit("1.2", 5, 21, 200),
        commit("1.2", 22, 30, 300),
        Event("1.2", ["find", "t", 1], 31 * MS, 33 * MS, None, lsn=300),
        Event("0.1", ["insert", "t", {"v": "x"}], 40 * MS, 50 * MS, known=False),
        commit("0.4", 80, 90, 400),
    ]
    deaths = [
        (0, 0, 50 * MS, EVERYBODY),
        (1, 2 * MS, 50 * MS, EVERYBODY),
        (0, 55 * MS, 60 * MS, "recovery"),
        (0, 65 * MS, 100 * MS, ""),
    ]
    return Record(0, 100 * MS, events, deaths)


def a_tally(**more: Any) -> Tally:
    figures: dict[str, Any] = {
        "kills": 3,
        "operations": 5,
        "commits": 4,
        "rounds": 1,
        "seconds": 2.0,
    }
    figures |= {"replay": "bazanite torture --seed 7"} | more
    return Tally(7, "bazanite", "full", "fork", 2, **figures)


def a_run(tally: Tally, findings: list[Finding] | None = None) -> Chronicle:
    chronicle = Chronicle(began=0)
    for finding in findings or []:
        tally.add(Violation(finding.what, finding.expected, finding.found, 1, finding.worker))
    chronicle.over(1, SHARED_ROWS, tally, a_record(), findings or [])
    return chronicle


class Page(HTMLParser):
    """What a browser would find: open elements match, attributes, texts."""

    VOID = frozenset({"meta", "input", "hr", "path", "rect", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID or (tag in {"path", "rect"} and not self._closed()):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, (tag, self.getpos())

    def _closed(self) -> bool:
        text = self.get_starttag_text() or ""
        return text.endswith("/>")

    def classes(self, name: str) -> int:
        return sum(name in (attrs.get("class") or "").split() for _, attrs in self.seen)
