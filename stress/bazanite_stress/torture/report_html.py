"""The report of a run: one page that needs nothing else, for people and for later.

It is made of the figures (`Tally`) and of what the run kept besides (`Chronicle`).  It loads
nothing, and says so to the browser; whatever the run met (names, findings, output) is escaped.
"""

from __future__ import annotations

import json
from html import escape

from bazanite_stress.crowd.plans import ENOUGH_HITS
from bazanite_stress.torture.chronicle import Chronicle, Sample
from bazanite_stress.torture.report import Tally, Violation, as_document, lock_text, rounds_text
from bazanite_stress.torture.report_charts import bars, histograms, over_time, shown, table
from bazanite_stress.torture.report_look import SCRIPT, STYLE
from bazanite_stress.torture.report_timeline import timeline

FINDINGS_SHOWN, FINDINGS_UNFOLDED = 20, 3
_TEXT_AT_MOST = 4_000
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def as_html(tally: Tally, chronicle: Chronicle) -> str:
    """The page."""
    parts = [
        _verdict(tally),
        _violations(tally, chronicle),
        _figures(tally),
        _moments(tally),
        _timelines(chronicle),
        _rates(tally, chronicle),
        _latencies(chronicle),
        _slots(chronicle),
        _kinds(chronicle),
        _document(tally),
    ]
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>bazanite torture: {escape(tally.verdict)}, seed {tally.seed}</title>"
        f"<style>{STYLE}</style></head><body><h1>bazanite torture</h1>\n"
        f"{chr(10).join(filter(None, parts))}\n<script>{SCRIPT}</script></body></html>\n"
    )


def verdict_text(tally: Tally) -> str:
    """One sentence on what came out, and why."""
    kills = f"{tally.kills:,} processes were killed in {tally.seconds:,.0f} seconds"
    if tally.verdict == "lost":
        count = tally.violation_count
        return f"{count:,} {'violation' if count == 1 else 'violations'}: {kills}."
    if tally.verdict == "survived":
        return f"{kills}; after each recovery everything was as it had been acknowledged."
    reasons = [
        f"{name} ({count} of {ENOUGH_HITS})" for name, count in tally.moments_missing.items()
    ]
    if reasons:
        return f"Nothing wrong, but some moments came too seldom: {', '.join(reasons)}."
    if tally.kills < tally.kills_wanted:
        return f"Nothing wrong, but only {tally.kills:,} of {tally.kills_wanted:,} kills came."
    return "There was not a kill, a call and a round."


def _section(title: str, body: str, told: str = "") -> str:
    about = f"<p class=quiet>{told}</p>" if told else ""
    return f"<section><h2>{escape(title)}</h2>{about}{body}</section>"


def _verdict(tally: Tally) -> str:
    interrupted = " The run was interrupted." if tally.interrupted else ""
    return (
        f'<div class="verdict {tally.verdict.replace(" ", "-")}">'
        f"<strong>{escape(tally.verdict)}</strong>{escape(verdict_text(tally))}{interrupted}</div>"
    )


def _violations(tally: Tally, chronicle: Chronicle) -> str:
    if not tally.violation_count:
        return ""
    findings = [_finding(one, chronicle) for one in tally.violations[:FINDINGS_SHOWN]]
    found = "".join(findings[:FINDINGS_UNFOLDED])
    if folded := findings[FINDINGS_UNFOLDED:]:
        found += f"<details><summary>{len(folded)} more</summary>{''.join(folded)}</details>"
    left = tally.violation_count - min(FINDINGS_SHOWN, len(tally.violations))
    more = f"<p class=quiet>and {left:,} others; --jsonl tells all of them</p>" if left > 0 else ""
    kept = f"<p>Files are kept in <code>{escape(str(tally.directory))}</code></p>"
    replay = (
        "<h3>Replay</h3><p class=quiet>Plans the same calls and kills; the kernel's"
        " scheduler is not planned, so it may take several runs.</p>"
        f"<pre id=replay>{escape(tally.replay)}</pre>"
        "<div class=tools><button data-copy=replay>copy</button></div>"
    )
    return _section("What is wrong", found + more + (kept if tally.directory else "") + replay)


def _finding(violation: Violation, chronicle: Chronicle) -> str:
    kind = chronicle.kind_of.get(violation.round, "")
    where = f"round {violation.round}" + (f", {kind}" if kind else "")
    if violation.worker is not None:
        where += f", writer {violation.worker}"
    return (
        f"<div class=finding><b>{escape(violation.what)}</b> <span class=quiet>{escape(where)}"
        f"</span><div class=pair><div><span class=quiet>expected</span>"
        f"<pre>{_clipped(violation.expected)}</pre></div><div><span class=quiet>found</span>"
        f"<pre>{_clipped(violation.found)}</pre></div></div></div>"
    )


def _clipped(text: str) -> str:
    left = len(text) - _TEXT_AT_MOST
    return escape(text[:_TEXT_AT_MOST]) + (f"\n... {left:,} more characters" if left > 0 else "")


def _figures(tally: Tally) -> str:
    durability = f", durability {tally.durability}" if tally.durability else ""
    readers = f", {tally.readers} readers" if tally.readers else ""
    short = [
        ("kills", tally.kills),
        ("kills a second", tally.kills_per_second),
        ("recoveries", tally.recoveries),
        ("calls acknowledged", tally.operations),
        ("in flight at a kill", tally.in_flight),
        ("commits", tally.commits),
        ("commits a second", tally.commits_per_second),
        ("seconds", tally.seconds),
        ("violations", tally.violation_count),
        ("seed", str(tally.seed)),
    ]
    long = [
        ("rounds", rounds_text(tally)),
        ("engine", tally.engine + durability),
        ("processes", f"{tally.writers} writers{readers}, started by {tally.start_method}"),
        ("workload" if tally.workload else "loaded", tally.workload or tally.loaded or "nothing"),
        *([("lock", lock_text(tally))] if tally.fairness_min_max is not None else []),
        *((f"not done: {what}", why) for what, why in tally.not_done.items()),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{shown(value)}</dd></div>" for name, value in short)
    items += "".join(
        f"<div><dt>{escape(name)}</dt><dd class=long>{escape(value)}</dd></div>"
        for name, value in long
    )
    kills = table(
        ("kill", "count"), sorted(tally.kills_by_mode.items()), "kills by how, as a table"
    )
    return _section("Figures", f"<dl class=figures>{items}</dl>{kills}")


def _moments(tally: Tally) -> str:
    if not tally.moments and not tally.moments_missing:
        return ""
    both = tally.moments | tally.moments_missing
    counts = dict(sorted(both.items(), key=lambda item: (-item[1], item[0])))
    chart = bars(counts, line=ENOUGH_HITS, low=tally.moments_missing)
    rows = [
        (name, count, "too seldom" if name in tally.moments_missing else "measured")
        for name, count in counts.items()
    ]
    told = (
        "How often a process died at each moment (or was stopped there, or met a full disk)."
        f" The dashed line is at {ENOUGH_HITS}: what came less often is not measured."
        " A bar that fades out is cut."
    )
    return _section("Moments", chart + table(("moment", "hits", ""), rows), told)


def _timelines(chronicle: Chronicle) -> str:
    samples: list[Sample] = []
    for sample in (chronicle.first_wrong, chronicle.last_of_shared_rows, chronicle.last):
        if sample is not None and sample.record.deaths and sample not in samples:
            samples.append(sample)
    if chronicle.last_of_shared_rows is not None:
        # Rounds without calls say less: only one in which something was wrong is worth it then.
        samples = [one for one in samples if one.record.events or one.wrong]
    told = (
        "Who lived when. The first round in which something was wrong, if there was one, and the"
        " last; when each call was made is known only where all work on shared rows."
    )
    return _section("Timeline", "<hr>".join(map(timeline, samples)), told) if samples else ""


def _rates(tally: Tally, chronicle: Chronicle) -> str:
    if not tally.commits:
        return ""
    width = chronicle.slices.width_seconds
    told = (
        f"Acknowledged commits in each {'second' if width == 1 else f'{width} seconds'} of the run."
        " While a directory is recovered and judged nobody writes; of rounds in which each writer"
        " has its own rows only the sum is known, and spread evenly."
    )
    return _section("Commits over time", over_time(chronicle.slices, tally.seconds), told)


def _latencies(chronicle: Chronicle) -> str:
    if not chronicle.latencies:
        return ""
    told = (
        "How long calls on shared rows took that were answered, to 25 %, as the process saw it"
        " among all the others, kills included. The wait is what can be seen of it: for how long a"
        " call had begun while the one before it in the log, by another process, was not answered"
        f" yet ({chronicle.handovers:,} hand-overs)."
    )
    return _section("How long calls took", histograms(chronicle.latencies), told)


def _slots(chronicle: Chronicle) -> str:
    if not any(slot.commits for slot in chronicle.slots.values()):
        return ""
    slots = sorted(chronicle.slots.items())
    total = sum(slot.commits for _, slot in slots)
    rows = [
        (number, slot.processes, slot.kills, slot.commits, f"{slot.commits / total:.1%}")
        for number, slot in slots
    ]
    chart = bars({f"slot {number}": slot.commits for number, slot in slots if slot.commits})
    heads = ("slot", "processes", "killed", "commits", "share")
    told = (
        "Commits of all processes that were started in one slot, each the successor of a dead one;"
        " with equal chances the shares are equal. Whoever recovers is started in slot 0."
    )
    return _section("Who got to commit", chart + table(heads, rows), told)


def _kinds(chronicle: Chronicle) -> str:
    heads = ("rounds", "count", "wrong", "seconds", "kills", "calls", "commits", "recoveries")
    rows = [
        (name, k.rounds, k.wrong, k.seconds, k.kills, k.operations, k.commits, k.recoveries)
        for name, k in sorted(chronicle.kinds.items())
    ]
    unfolded = table(heads, rows).replace("<details>", "<details open>")
    return _section("Kinds of rounds", unfolded) if rows else ""


def _document(tally: Tally) -> str:
    document = as_document(tally)
    del document["first_violations"]  # they stand above
    text = escape(json.dumps(document, indent=2))
    return f"<details><summary>all figures as JSON</summary><pre>{text}</pre></details>"
