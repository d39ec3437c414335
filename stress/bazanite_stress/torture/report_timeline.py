"""The timeline of one round: a lane for each slot, and what its processes did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from bazanite_stress.crowd.moments import EVERYBODY, WHITE_BOX
from bazanite_stress.crowd.record import Record
from bazanite_stress.torture.chronicle import Sample, handovers
from bazanite_stress.torture.effects import slot_of
from bazanite_stress.torture.report_charts import table, time_text

LANE = 30
_WIDTH = 10_000
_LIFE, _GAP = 22, 4
LIVES_AT_MOST, COMMITS_AT_MOST = 1_500, 8_000
"""Of more the first ones are drawn, and the chart says so: a page must stay small."""
_MS = 1_000_000
_HOW = {
    "itself": "killed itself at its moment",
    "outside": "killed from outside",
    "all": "killed with all others",
    "ended": "ended by itself",
}
_ZOOMS = (1, 4, 16, 64)

Life = tuple[int, int, int, str]
"""Slot, birth, death, how: as in a Record."""


def timeline(sample: Sample) -> str:
    """The chart, its key, and its tables."""
    record = sample.record
    lives = sorted(record.deaths, key=lambda life: life[1])[:LIVES_AT_MOST]
    slots = sorted({slot for slot, *_ in lives})
    row = {slot: place for place, slot in enumerate(slots)}
    scale = Scale(record)
    commits = sorted((e for e in record.events if e.commits), key=lambda event: event.end)
    pairs = handovers(record.events)
    found = recoveries(record) if record.events else []
    told = []
    if len(record.deaths) > LIVES_AT_MOST:
        told.append(f"the first {LIVES_AT_MOST:,} processes")
    if len(commits) > COMMITS_AT_MOST:
        told.append(f"the first {COMMITS_AT_MOST:,} commits")
    drawn = f" Drawn are {' and '.join(told)}." if told else ""
    lanes = "".join(
        [
            *(_band(scale, start, end, len(slots) * LANE) for start, end in found[:LIVES_AT_MOST]),
            *(_lives(scale, lives, row)),
            _path("over", (
                f"M{scale.x(a.end)} {_middle(row, slot_of(a.who))}"
                f"L{scale.x(b.end)} {_middle(row, slot_of(b.who))}"
                for a, b in pairs[:COMMITS_AT_MOST]
                if {slot_of(a.who), slot_of(b.who)} <= row.keys()
            )),
            _path("commit", (
                f"M{scale.x(event.end)} {_middle(row, slot_of(event.who)) - 7}v14"
                for event in commits[:COMMITS_AT_MOST] if slot_of(event.who) in row
            )),
            *(_death(scale, life, row) for life in lives),
        ]
    )  # fmt: skip
    names = "".join(f"<span>slot {slot}</span>" for slot in slots)
    times = "".join(
        f'<span class=t{level} style="left:{share:.2%}">{time_label(scale, share, level)}</span>'
        for share, level in ticks()
    )
    label = f"{len(record.deaths)} processes in {len(slots)} slots"
    if record.events:
        label += (
            f", {len(commits)} commits, {len(pairs)} hand-overs of the lock,"
            f" {len(found)} recoveries"
        )
    height = max(1, len(slots)) * LANE
    return (
        f"<div data-timeline><p class=quiet>Round {sample.number}, {escape(sample.kind)}: "
        f"{escape(label)}.{drawn}</p>{_tools(bool(record.events))}"
        f"<div class=lanes><div class=names>{names}</div>"
        f'<div class=wide tabindex=0 role=group aria-label="timeline">'
        "<div class=inner data-zoomed=1>"
        f'<div class="ticks axis" aria-hidden=true>{times}</div>'
        f'<svg role=img aria-label="{escape(label)}" viewBox="0 0 {_WIDTH} {height}"'
        f' style="height:{height}px" preserveAspectRatio="none">{lanes}</svg></div></div></div>'
        f"{_key(bool(record.events))}{_tables(record, found)}</div>"
    )


class Scale:
    """Where a moment is in the chart."""

    def __init__(self, record: Record) -> None:
        moments = [moment for _, born, died, _ in record.deaths for moment in (born, died)]
        self.start = min([record.began, *moments])
        self._length = max(1, max([record.ended, *moments]) - self.start)

    @property
    def milliseconds(self) -> float:
        """The length of the round."""
        return self._length / _MS

    def x(self, moment: int) -> int:
        """To the right of the start."""
        return max(0, min(_WIDTH, round((moment - self.start) / self._length * _WIDTH)))

    def told(self, moment: int) -> float:
        """In milliseconds since the start."""
        return round((moment - self.start) / _MS, 3)


def time_label(scale: Scale, share: float, zoom: int) -> str:
    """As exact as there is room for."""
    return f"{scale.milliseconds * share:.{0 if zoom < 16 else 1}f} ms"


def ticks() -> list[tuple[float, int]]:
    """Parts of the length that get a label, and from which zoom on."""
    steps = 4 * _ZOOMS[-1]
    return [
        (step / steps, next(zoom for zoom in _ZOOMS if step % (_ZOOMS[-1] // zoom) == 0))
        for step in range(steps + 1)
    ]


def recoveries(record: Record) -> list[tuple[int, int]]:
    """When nobody lived, and the next one to come had to recover: from its birth to the first call
    that was answered, or until all were dead again.
    """
    lives = sorted((born, died) for _, born, died, _ in record.deaths)
    answered = sorted(event.end for event in record.events if event.known)
    found: list[tuple[int, int]] = []
    latest, at = 0, 0
    for place, (born, died) in enumerate(lives):
        if place and born > latest:
            # All who were born before the next gap.
            end = died
            for later_born, later_died in lives[place + 1 :]:
                if later_born > end:
                    break
                end = max(end, later_died)
            while at < len(answered) and answered[at] < born:
                at += 1
            found.append((born, min(end, answered[at]) if at < len(answered) else end))
        latest = max(latest, died)
    return found


def rows_within(lives: Sequence[Life]) -> list[tuple[Life, int, int]]:
    """Each life, its place among those of its slot at that time, and how many places there are:
    who forks lives beside its child.
    """
    ends: dict[int, list[int]] = {}
    placed: list[tuple[Life, int]] = []
    for life in sorted(lives, key=lambda one: one[1]):
        slot, born, died, _ = life
        taken = ends.setdefault(slot, [])
        place = next((i for i, end in enumerate(taken) if end <= born), len(taken))
        taken[place:] = [died, *taken[place + 1 :]]
        placed.append((life, place))
    return [(life, place, len(ends[life[0]])) for life, place in placed]


def how_it_died(how: str) -> str:
    """One of the four ways that have a colour."""
    if how in {EVERYBODY, "end of round", "everyone"}:
        return "all"
    return "itself" if how in WHITE_BOX else "outside" if how else "ended"


def _middle(row: dict[int, int], slot: int) -> int:
    return row[slot] * LANE + LANE // 2


def _band(scale: Scale, start: int, end: int, height: int) -> str:
    left = scale.x(start)
    return (
        f'<rect class=recovery x="{left}" width="{max(4, scale.x(end) - left)}" y="0"'
        f' height="{height}"><title>recovery: {time_text(end - start)}</title></rect>'
    )


def _lives(scale: Scale, lives: Sequence[Life], row: dict[int, int]) -> list[str]:
    drawn = []
    for (slot, born, died, _), place, places in rows_within(lives):
        height = _LIFE / places
        left = scale.x(born)
        drawn.append(
            f'<rect class=life x="{left}" width="{max(2, scale.x(died) - left)}"'
            f' y="{row[slot] * LANE + _GAP + place * height:.1f}" height="{height - 0.5:.1f}"/>'
        )
    return drawn


def _death(scale: Scale, life: Life, row: dict[int, int]) -> str:
    slot, born, died, how = life
    told = f"slot {slot}: {how or 'ended'} after {time_text(died - born)}"
    return (
        f'<path class="dead {how_it_died(how)}" d="M{scale.x(died)} {_middle(row, slot)}h0">'
        f"<title>{escape(told)}</title></path>"
    )


def _path(name: str, steps: Iterable[str]) -> str:
    return f'<path class={name} d="{"".join(steps)}"/>'


def _tools(with_calls: bool) -> str:
    zooms = "".join(
        f'<button data-zoom="{zoom}" aria-pressed="{str(zoom == 1).lower()}">{zoom}×</button>'
        for zoom in _ZOOMS
    )
    boxes = "".join(
        f'<label><input type=checkbox checked data-hide="{name}"> {told}</label>'
        for name, told in (("commit", "commits"), ("over", "hand-overs"), ("dead", "deaths"))
        if with_calls
    )
    return f'<div class="tools quiet">{zooms}{boxes}</div>'


def _key(with_calls: bool) -> str:
    deaths = "".join(
        f'<span><i style="background:var(--{colour})"></i>{_HOW[name]}</span>'
        for name, colour in (("itself", "b"), ("outside", "bad"), ("all", "c"), ("ended", "d"))
    )
    calls = (
        '<span><i class=flat style="background:var(--a);width:2px;height:.9rem"></i>a commit</span>'
        '<span><i class=flat style="background:var(--quiet);height:1px"></i>the lock goes on to'
        " another process</span>"
        '<span><i class=flat style="background:var(--recovery)"></i>recovery</span>'
    )
    return (
        '<div class=key><span><i class=flat style="background:var(--life)"></i>a process, from its'
        f" start to its end</span>{deaths}{calls * with_calls}</div>"
    )


def _tables(record: Record, found: Sequence[tuple[int, int]]) -> str:
    scale = Scale(record)
    lives = sorted(record.deaths, key=lambda life: life[1])
    heads = ("slot", "born, ms", "died, ms", "how")
    rows = [(slot, scale.told(a), scale.told(b), how or "ended") for slot, a, b, how in lives]
    told = table(heads, rows, "processes as a table")
    if record.events:
        commits = sorted((e for e in record.events if e.commits), key=lambda event: event.end)
        told += table(
            ("process", "call", "begun, ms", "answered, ms", "log position"),
            [
                (e.who, e.step[0], scale.told(e.start), scale.told(e.end), str(e.lsn))
                for e in commits
            ],
            "commits as a table",
        )
        told += table(
            ("from, ms", "to, ms"),
            [(scale.told(a), scale.told(b)) for a, b in found],
            "recoveries as a table",
        )
    return told
