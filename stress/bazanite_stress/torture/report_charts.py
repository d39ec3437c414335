"""The charts of a report, as HTML with a table beside each. Whatever is shown is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from statistics import median

from bazanite_stress.torture.chronicle import Histogram, Slices, upper_ns

_WIDTH, _HEIGHT = 1000, 100
_ROWS_AT_MOST = 500


def shown(value: object) -> str:
    """A cell: numbers with separators, everything else as it is, escaped."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return escape(str(value))
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], told: str = "as a table") -> str:
    """A table that is folded away; the first rows of a long one."""
    rows = list(rows)
    head = "".join(f"<th scope=col>{escape(text)}</th>" for text in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{shown(cell)}</td>" for cell in row) + "</tr>"
        for row in rows[:_ROWS_AT_MOST]
    )
    left = len(rows) - _ROWS_AT_MOST
    more = f"<p class=quiet>and {left:,} more</p>" if left > 0 else ""
    return (
        f"<details><summary>{escape(told)}</summary><div class=scroll><table><thead><tr>{head}"
        f"</tr></thead><tbody>{body}</tbody></table>{more}</div></details>"
    )


def bars(counts: Mapping[str, int], *, line: int = 0, low: Iterable[str] = ()) -> str:
    """Horizontal bars, with a dashed line at a number; those in `low` in another colour. Where a
    line has to be seen, bars that are far longer than most others are cut, and end open.
    """
    most = max([*counts.values(), line, 1])
    if line:
        most = min(most, max(4 * line, 2 * int(median([0, *counts.values()]))))
    low = set(low)
    dashed = f'<span class=enough style="left:{100 * line / most:.2f}%"></span>' if line else ""
    rows = "".join(
        f"<span>{escape(name)}</span><span class=track>"
        f'<span class="bar{" low" * (name in low)}{" cut" * (count > most)}"'
        f' style="width:{min(100.0, 100 * count / most):.2f}%"></span>'
        f"{dashed}</span><span class=number>{count:,}</span>"
        for name, count in counts.items()
    )
    told = "; ".join(f"{name} {count}" for name, count in counts.items())
    return f'<div class=bars role=img aria-label="{escape(told)}">{rows}</div>'


def over_time(slices: Slices, seconds: float) -> str:
    """What was counted each second, as an area, and the table."""
    width = slices.width_seconds
    # The last slice is not whole: it counts for as long as it lasted.
    lengths = [
        max(0.05, min(width, seconds - place * width)) for place in range(len(slices.counts))
    ]
    rates = [count / length for count, length in zip(slices.counts, lengths, strict=True)]
    most, end = max([*rates, 1.0]), max(seconds, 0.001)
    points: list[str] = []
    for place, rate in enumerate(rates):
        height = f"{_HEIGHT - rate / most * (_HEIGHT - 5):.1f}"
        ends = (place * width, min(end, (place + 1) * width))
        points += [f"{at / end * _WIDTH:.1f} {height}" for at in ends]
    path = "L".join(points)
    svg = (
        f'<path class=area d="M0 {_HEIGHT}L{path}L{_WIDTH} {_HEIGHT}Z"/>'
        f'<path class=stroke d="M{path}"/>'
    )
    label = f"between {min(rates):.0f} and {max(rates):.0f} commits a second"
    along = [f"{end * share:.0f} s" for share in (0, 0.25, 0.5, 0.75, 1)]
    heads = ("from second", "commits", "a second")
    rows = [
        (place * width, round(count), rate)
        for place, (count, rate) in enumerate(zip(slices.counts, rates, strict=True))
    ]
    return _plot(svg, label, (f"{most:,.0f}/s", f"{most / 2:,.0f}", "0"), along) + table(
        heads, rows
    )


def histograms(latencies: Mapping[str, Histogram]) -> str:
    """One chart of each, on one logarithmic axis of time, and the table of all."""
    filled = [place for h in latencies.values() for place, count in enumerate(h.counts) if count]
    first, last = min(filled), max(filled) + 1
    charts = "".join(
        f"<figure><figcaption>{escape(name)}: {h.total:,}, median"
        f" {time_text(h.quantile_ns(0.5))}</figcaption>{_histogram(h, first, last, name)}</figure>"
        for name, h in latencies.items()
    )
    shares = (0.5, 0.9, 0.99, 0.999)
    rows = [
        (
            name,
            h.total,
            *(time_text(h.quantile_ns(share)) for share in shares),
            time_text(h.longest_ns),
        )
        for name, h in latencies.items()
    ]
    heads = (
        "",
        "count",
        *(f"{share:.1%} within".replace(".0%", "%") for share in shares),
        "longest",
    )
    return f"<div class=several>{charts}</div>{table(heads, rows)}"


def _histogram(histogram: Histogram, first: int, last: int, name: str) -> str:
    most, step = max([*histogram.counts, 1]), _WIDTH / (last - first)
    columns = "".join(
        f'<rect class=column x="{(place - first) * step:.1f}" width="{step * 0.92:.1f}"'
        f' y="{_HEIGHT - height:.2f}" height="{height:.2f}">'
        f"<title>up to {time_text(upper_ns(place))}: {count:,}</title></rect>"
        for place, count in enumerate(histogram.counts)
        if count and (height := max(1.0, count / most * (_HEIGHT - 4)))
    )
    ends = [upper_ns(first - 1 + round((last - first) * share)) for share in (0, 0.5, 1)]
    label = f"{name}: half within {time_text(histogram.quantile_ns(0.5))}"
    plot = _plot(columns, label, (f"{most:,}", "0"), [time_text(end) for end in ends])
    return f"<div class=small>{plot}</div>"


def _plot(svg: str, label: str, up: Sequence[str], along: Sequence[str]) -> str:
    ups = "".join(f"<span>{escape(text)}</span>" for text in up)
    alongs = "".join(f"<span>{escape(text)}</span>" for text in along)
    return (
        f'<div class=plot><div class="up axis" aria-hidden=true>{ups}</div>'
        f'<svg role=img aria-label="{escape(label)}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' preserveAspectRatio="none">{svg}</svg>'
        f'<div class="along axis" aria-hidden=true>{alongs}</div></div>'
    )


def time_text(nanoseconds: float) -> str:
    """As people say it: 3 µs, 12 ms, 1.4 s."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.0f} ns"
