"""Pictures of the results, as PNG files; needs matplotlib, so only who draws imports this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .engines import NO_SYNC
from .report import duration
from .workloads import WORKLOADS

Results = Sequence[dict[str, Any]]

COLOURS = {
    "bazanite": "#c1272d",
    "sqlite3-full": "#1f4e9c",
    "sqlite3-normal": "#79a6e0",
    "bazoola": "#e69f00",
    "lmdb": "#1b7f5c",
    "tinydb": "#8a6fb3",
    "diskcache": "#56b4b0",
    "disk": "#555555",
}
"""One colour an engine in all pictures."""

_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "figure.dpi": 130,
    "font.size": 10,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
_BY_WRITERS = ("insert", "update", "transaction", "ycsb-a")
_BY_SIZE = ("read", "insert", "equality", "scan", "open")
# As far to the right as a quantile has nines: 0, 50, 90, 99, 99.9 and 99.99 %.
_QUANTILES = (0.1, 0.5, 0.9, 0.99, 0.999, 0.9999)


def draw(results: Results, directory: Path) -> list[Path]:
    """Draw what the results are enough for; the files."""
    drawn = []
    with mpl.rc_context():
        mpl.rcParams.update(_STYLE)
        for workload in _BY_WRITERS:
            drawn += _picture(directory, f"throughput-{workload}", _throughput, workload, results)
        for workload in _BY_WRITERS:
            drawn += _picture(directory, f"latency-{workload}", _latency, workload, results)
        for workload in _BY_SIZE:
            drawn += _picture(directory, f"size-{workload}", _size, workload, results)
        for workload in _BY_WRITERS:
            drawn += _picture(directory, f"shares-{workload}", _shares, workload, results)
    return drawn


def _picture(
    directory: Path,
    name: str,
    draw_it: Callable[[Figure, str, Results], bool],
    workload: str,
    results: Results,
) -> list[Path]:
    mine = [result for result in results if result["workload"] == workload]
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    if not mine or not draw_it(figure, workload, mine):
        return []
    _legend(figure)
    figure.supxlabel(_caption(mine), fontsize=7, color="#777777")
    path = directory / f"{name}.png"
    figure.savefig(path)
    return [path]


def _throughput(figure: Figure, workload: str, results: Results) -> bool:
    """Operations a second by the number of processes."""
    results = [result for result in results if result["threads"] == 1]
    rows = _common([result["rows"] for result in results])
    lines = _by_engine(results, "processes", "ops_per_second", rows=rows)
    if max((len(line) for line in lines.values()), default=0) < 2:
        return False
    axes = figure.add_subplot(title=f"{workload}: {WORKLOADS[workload].summary}; {rows:,} rows")
    _draw_lines(axes, lines, results)
    counts = sorted({count for line in lines.values() for count, _ in line})
    axes.set(xscale="log", yscale="log", xlabel="processes", ylabel="operations a second")
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.xaxis.set_minor_formatter(NullFormatter())
    _label(axes, lambda value: f"{value:,.0f}")
    return True


def _latency(figure: Figure, workload: str, results: Results) -> bool:
    """Quantiles of the latency, alone and in a crowd."""
    shapes = sorted({result["processes"] for result in results if result["threads"] == 1})
    rows = _common([result["rows"] for result in results])
    wanted = list(dict.fromkeys([shapes[0], shapes[-1]])) if shapes else []
    title = f"{workload}: {WORKLOADS[workload].summary}; {rows:,} rows"
    axes_of = figure.subplots(1, len(wanted), sharey=True, squeeze=False)[0] if wanted else []
    for axes, processes in zip(axes_of, wanted, strict=True):
        chosen = _of_shape(results, processes, rows)
        lines = {result["engine"]: _quantile_line(result) for result in chosen}
        _draw_lines(axes, lines, chosen)
        axes.set(yscale="log", xlabel="per cent of the operations took at most")
        axes.set_title(f"{processes} process{'es' * (processes > 1)}", fontsize=10)
        axes.set_xticks(range(len(_QUANTILES)), [f"{100 * share:g}" for share in _QUANTILES])
        _label(axes, _short)
    if wanted:
        figure.suptitle(title, fontsize=12, x=0.01, ha="left")
    return bool(wanted)


def _quantile_line(result: dict[str, Any]) -> list[tuple[float, float]]:
    """Only as far as there were operations: of a hundred, nothing is known of 99.9 %."""
    known = dict(map(tuple, result["quantiles_us"]))
    return [
        (place, max(known[share], 0.01))
        for place, share in enumerate(_QUANTILES)
        if result["operations"] * (1 - share) >= 1
    ]


def _size(figure: Figure, workload: str, results: Results) -> bool:
    """The median latency by the number of rows."""
    results = [result for result in results if result["processes"] == result["threads"] == 1]
    lines = _by_engine(results, "rows", "p50_us")
    if max((len(line) for line in lines.values()), default=0) < 2:
        return False
    axes = figure.add_subplot(title=f"{workload}: {WORKLOADS[workload].summary}")
    _draw_lines(axes, lines, results)
    axes.set(xscale="log", yscale="log", xlabel="rows in the table", ylabel="median time")
    sizes = sorted({size for line in lines.values() for size, _ in line})
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.xaxis.set_minor_formatter(NullFormatter())
    _label(axes, _short)
    return True


def _label(axes: Axes, text: Callable[[float], str]) -> None:
    """Write 1, 2 and 5 of each power of ten at the left side, in one manner."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: text(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _shares(figure: Figure, workload: str, results: Results) -> bool:
    """How many of the operations each process did, where there were most processes."""
    most = max((result["processes"] for result in results), default=1)
    rows = _common([result["rows"] for result in results])
    chosen = _of_shape(results, most, rows)
    if most < 2 or not chosen:
        return False
    axes = figure.add_subplot(
        title=f"{workload}: each of {most} processes' share, through an equal one"
    )
    for place, result in enumerate(chosen):
        shares = sorted(count * most / sum(result["shares"]) for count in result["shares"])
        width = 0.8 / most
        places = [place - 0.4 + width * (number + 0.5) for number in range(most)]
        axes.bar(places, shares, width * 0.9, color=COLOURS[result["engine"]])
    axes.axhline(1, color="#333333", linewidth=0.8, linestyle="--")
    labels = [f"{r['engine']}\n{r['fairness_min_max']:.2f} fewest/most" for r in chosen]
    axes.set_xticks(range(len(chosen)), labels, fontsize=8)
    axes.grid(visible=False, axis="x")
    axes.set(ylabel="share of a process (1: an equal one)")
    return True


def _draw_lines(
    axes: Axes,
    lines: dict[str, list[tuple[float, float]]],
    results: Results,
) -> None:
    unsafe = {result["engine"] for result in results if result["durability"] == NO_SYNC}
    for engine, line in lines.items():
        if not line:
            continue
        ours = engine == "bazanite"
        axes.plot(
            [x for x, _ in line],
            [y for _, y in line],
            label=f"{engine} (no sync)" if engine in unsafe else engine,
            color=COLOURS[engine],
            linewidth=2.6 if ours else 1.5,
            linestyle=":" if engine in unsafe else "--" if engine == "disk" else "-",
            marker="o",
            markersize=5 if ours else 3.5,
            zorder=3 if ours else 2,
        )


def _legend(figure: Figure) -> None:
    """One for all that is drawn, in the order of the engines."""
    lines = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    named = [
        (line, label)
        for engine in COLOURS
        for label, line in lines.items()
        if str(label).split(" ")[0] == engine
    ]
    if named:
        handles, labels = zip(*named, strict=True)
        figure.legend(handles, labels, loc="outside right center", fontsize=9)


def _of_shape(results: Results, processes: int, rows: int) -> Results:
    shape = processes, 1, rows
    return [r for r in results if (r["processes"], r["threads"], r["rows"]) == shape]


def _by_engine(
    results: Results, x: str, y: str, *, rows: int | None = None
) -> dict[str, list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        if rows in {None, result["rows"]} and result[y]:
            lines.setdefault(result["engine"], []).append((result[x], result[y]))
    return {engine: sorted(line) for engine, line in lines.items()}


def _common(values: list[int]) -> int:
    return max(sorted(set(values)), key=values.count, default=0)


def _short(microseconds: float) -> str:
    return duration(microseconds).replace(".00", "").replace(".0", "")


def _caption(results: Results) -> str:
    told = results[0]["environment"]
    return (
        f"{told['date'][:10]}, Linux {told['kernel']}, {told['cpu_count']} CPUs, Python"
        f" {told['python']}, SQLite {told['sqlite']}, {told['filesystem']}, seed {told['seed']}"
    )
