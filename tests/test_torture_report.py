"""What a torture run tells: the page, JUnit XML, lines, the live table, and how little it keeps."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bazanite_stress.crowd.moments import APPEND, EVERYBODY
from bazanite_stress.crowd.record import Record
from bazanite_stress.history.events import Event
from bazanite_stress.torture.chronicle import (
    COMMITS,
    OWN_ROWS,
    READING,
    SHARED_ROWS,
    SLICES_AT_MOST,
    WAITING,
    Chronicle,
    Histogram,
    Slices,
    handovers,
)
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.report import Progress, Tally, Violation
from bazanite_stress.torture.report_html import as_html
from bazanite_stress.torture.report_junit import as_junit
from bazanite_stress.torture.report_live import LiveProgress
from bazanite_stress.torture.report_timeline import recoveries, rows_within
from bazanite_tools import torture_outputs
from bazanite_tools.cli import main

COMMAND = [sys.executable, "-m", "bazanite_tools", "torture"]
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


def test_a_chronicle_counts_what_happened_in_a_room() -> None:
    chronicle = a_run(a_tally())
    assert {slot: (s.processes, s.kills, s.commits) for slot, s in chronicle.slots.items()} == {
        0: (3, 2, 2),
        1: (1, 1, 2),
    }
    counts = {name: histogram.total for name, histogram in chronicle.latencies.items()}
    assert counts == {COMMITS: 4, READING: 1, WAITING: 2}
    assert chronicle.latencies[COMMITS].longest_ns == 16 * MS
    assert chronicle.latencies[WAITING].longest_ns == 6 * MS
    assert chronicle.slices.counts == [4.0]
    assert chronicle.handovers == 2
    assert (chronicle.kinds[SHARED_ROWS].kills, chronicle.kinds[SHARED_ROWS].commits) == (3, 4)


def test_the_lock_goes_on_between_commits_of_different_processes_only() -> None:
    found = [(one.lsn, other.lsn) for one, other in handovers(a_record().events)]
    assert found == [(100, 200), (300, 400)]


def test_a_recovery_begins_when_nobody_lives_and_ends_with_an_answer_or_with_all_dead() -> None:
    assert recoveries(a_record()) == [(55 * MS, 60 * MS), (65 * MS, 90 * MS)]


def test_who_forks_and_its_child_lie_beside_each_other() -> None:
    lives = [(0, 0, 10, ""), (0, 5, 12, "forked child"), (0, 11, 20, ""), (1, 0, 20, "")]
    places = {(life[0], life[1]): (place, places) for life, place, places in rows_within(lives)}
    assert places == {(0, 0): (0, 2), (0, 5): (1, 2), (0, 11): (0, 2), (1, 0): (0, 1)}


def test_slices_get_wider_and_lose_no_count() -> None:
    slices = Slices()
    for second in range(10_000):
        slices.add(second + 0.5)
    assert len(slices.counts) <= SLICES_AT_MOST
    assert (slices.width_seconds, sum(slices.counts)) == (32, 10_000)
    assert set(slices.counts[:-1]) == {32.0}
    slices.spread(100.0, 9_000.0, 50)
    assert sum(slices.counts) == pytest.approx(10_050)


def test_quantiles_are_right_to_the_width_of_a_bucket() -> None:
    histogram = Histogram()
    for microseconds in range(1, 1_001):
        histogram.add(microseconds * 1_000)
    for share in (0.5, 0.9, 0.99):
        assert share * 1e6 <= histogram.quantile_ns(share) <= share * 1e6 * 1.25
    assert histogram.quantile_ns(1.0) == 1e6
    assert Histogram().quantile_ns(0.5) == 0.0


def test_what_is_kept_of_a_long_run_does_not_grow() -> None:
    chronicle, tally = Chronicle(began=0), a_tally()
    for number in range(1, 3_001):
        wrong = [Finding("lost", "a", "b")] if number > 1_000 else []
        record = Record(number * 1_000 * MS, (number + 1) * 1_000 * MS, commits={0: 10})
        chronicle.over(number, OWN_ROWS, tally, record, wrong)
    kept = {s.number for s in (chronicle.last, chronicle.first_wrong) if s is not None}
    assert kept == {3_000, 1_001}
    assert len(chronicle.kind_of) == 200
    assert len(chronicle.slices.counts) <= SLICES_AT_MOST
    assert sum(chronicle.slices.counts) == pytest.approx(30_000)


def test_the_page_loads_nothing_and_every_chart_has_a_table() -> None:
    tally = a_tally(moments={APPEND: 44}, moments_missing={"recovery": 3})
    page = Page(text := as_html(tally, a_run(tally)))
    assert page.open == []
    assert not [attrs for _, attrs in page.seen if {"src", "href", "srcset"} & attrs.keys()]
    assert "url(" not in text
    assert "@import" not in text
    assert [attrs["content"] for tag, attrs in page.seen if "http-equiv" in attrs] == [
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    ]
    for section in text.split("<section>")[1:]:
        assert "<table>" in section, section[:80]
    assert (page.classes("life"), page.classes("dead"), page.classes("recovery")) == (4, 4, 2)
    assert page.classes("enough") == 2
    assert page.classes("low") == 1
    ticks = next(attrs["d"] for _, attrs in page.seen if attrs.get("class") == "commit")
    assert ticks is not None
    assert ticks.count("M") == 4


@pytest.mark.parametrize(
    "more, said",
    [
        ({}, "after each recovery everything was as it had been acknowledged"),
        ({"moments_missing": {"recovery": 3}}, "recovery (3 of 30)"),
        ({"kills_wanted": 10}, "only 3 of 10 kills came"),
        ({"kills": 0}, "There was not a kill"),
        ({"interrupted": True}, "The run was interrupted."),
    ],
)
def test_the_verdict_says_why(more: dict[str, Any], said: str) -> None:
    tally = a_tally(**more)
    text = as_html(tally, a_run(tally))
    assert f"<strong>{tally.verdict}</strong>" in text
    assert said in text


def test_a_loss_is_shown_with_all_it_needs_and_nothing_is_taken_for_markup(tmp_path: Path) -> None:
    tally = a_tally(directory=tmp_path / "<kept>", workload=NASTY, moments={NASTY: 40})
    tally.not_done[NASTY] = NASTY
    tally.replay = f"bazanite torture --workload '{NASTY}'"
    text = as_html(tally, a_run(tally, [Finding(NASTY, NASTY, f"{NASTY}{'x' * 9_000}", 1)]))
    page = Page(text)
    assert page.open == []
    assert "img" not in {tag for tag, _ in page.seen}
    assert not [attrs for _, attrs in page.seen if "onerror" in attrs]
    assert text.count("</script>") == 1
    for part in ("<strong>lost</strong>", "1 violation:", "expected", "found", "id=replay"):
        assert part in text
    assert "round 1, shared rows, writer 1" in text
    assert "more characters" in text


def test_the_page_stays_small_whatever_the_run_did() -> None:
    record = Record(0, 2_000 * MS)
    for i in range(30_000):
        record.events.append(commit(f"{i % 12}.{i}", i % 2_000, i % 2_000 + 1, i))
    record.deaths = [(i % 12, i * MS // 5, (i + 9) * MS // 5, "apply") for i in range(9_000)]
    chronicle, tally = Chronicle(began=0), a_tally(seconds=90_000.0)
    for second in range(0, 90_000, 50):
        chronicle.slices.add(second, 9_999)
    findings = [Finding("lost", "<" * 99_000, '"' * 99_000)] * 300
    for finding in findings:
        tally.add(Violation(finding.what, finding.expected, finding.found, 1, None))
    chronicle.over(1, SHARED_ROWS, tally, record, findings)
    chronicle.over(2, SHARED_ROWS, tally, record, [])
    assert len(as_html(tally, chronicle).encode()) < 3_000_000


def test_a_run_of_which_nothing_is_known_is_a_page_too() -> None:
    page = Page(as_html(a_tally(kills=0, operations=0, commits=0, rounds=0), Chronicle()))
    assert page.open == []


def test_junit_has_a_case_for_each_kind_of_round_and_each_moment() -> None:
    tally = a_tally(
        moments={APPEND: 44, "recovery": 3}, moments_missing={"recovery": 3, "apply": 0}
    )
    tally.not_done["no space"] = NASTY
    chronicle = a_run(tally, [Finding("lost row", NASTY, "no such row")])
    chronicle.over(2, OWN_ROWS, tally, Record(0, MS, commits={0: 1}), [])
    root = ET.fromstring(as_junit(tally, chronicle))
    cases = {case.get("name"): case for case in root.iter("testcase")}
    failed = {name for name, case in cases.items() if case.find("failure") is not None}
    assert cases.keys() == {
        OWN_ROWS, SHARED_ROWS, APPEND, "recovery", "apply", "no space", "verdict"
    }  # fmt: skip
    assert failed == {SHARED_ROWS, "recovery", "apply", "verdict"}
    suite = root.find("testsuite")
    assert suite is not None
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["7", "4", "1"]
    told = cases[SHARED_ROWS].findtext("failure") or ""
    assert "<img src=x onerror=alert(1)>" in told
    assert "\\x00\\x1b" in told
    assert "found     no such row" in told
    assert tally.replay in told


def test_junit_of_a_run_that_survived_has_no_failure() -> None:
    tally = a_tally(moments={APPEND: 44})
    assert "<failure" not in as_junit(tally, a_run(tally))


def test_the_lines_are_a_start_violations_rounds_and_an_end() -> None:
    lines: list[dict[str, Any]] = []
    tally, chronicle = a_tally(), Chronicle(lines.append)
    chronicle.started(tally)
    tally.add(Violation("lost row", "a", "b", 1, 3))
    chronicle.over(1, SHARED_ROWS, tally, a_record(), [Finding("lost row", "a", "b", 3)])
    tally.kills += 2
    chronicle.over(2, OWN_ROWS, tally, Record(0, MS), [])
    chronicle.ended({"verdict": tally.verdict})
    assert [line["event"] for line in lines] == ["start", "violation", "round", "round", "end"]
    assert (lines[0]["seed"], lines[0]["replay"]) == (7, tally.replay)
    assert (lines[1]["what"], lines[1]["expected"], lines[1]["worker"]) == ("lost row", "a", 3)
    assert [(line["kills"], line["violations"]) for line in lines[2:4]] == [(3, 1), (2, 0)]
    assert lines[4]["verdict"] == "lost"


def test_a_short_run_writes_all_three(tmp_path: Path) -> None:
    page, junit, lines = (tmp_path / name for name in ("out.html", "out.xml", "out.jsonl"))
    page.write_text("an earlier page, longer than nothing")
    options = ["--crowd", "0", "--seconds", "2", "--writers", "2", "--seed", "3", "--no-load"]
    options += ["--report", str(page), "--junit", str(junit), "--jsonl", str(lines), "--json"]
    done = subprocess.run(
        [*COMMAND, *options], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [line["event"] for line in told[:2]] == ["start", "round"]
    assert told[-1] == {"event": "end", **json.loads(done.stdout)}
    assert sum(line["kills"] for line in told if line["event"] == "round") == told[-1]["kills"]
    assert ET.fromstring(junit.read_text()).get("failures") == "0"
    text = page.read_text()
    assert text.startswith("<!doctype html>")
    assert Page(text).open == []
    assert Page(text).classes("dead") > 0
    assert "<strong>survived</strong>" in text


def test_lines_on_stdout_are_alone_there(tmp_path: Path) -> None:
    options = ["--crowd", "0", "--seconds", "0.5", "--writers", "2", "--seed", "3", "--no-load"]
    done = subprocess.run(
        [*COMMAND, *options, "--jsonl", "-"],
        capture_output=True, text=True, timeout=100, check=False, cwd=tmp_path,
    )  # fmt: skip
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told[0]["event"], told[-1]["event"]) == ("start", "end")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["--report", "--junit", "--jsonl"])
def test_a_path_that_cannot_be_written_is_refused_before_the_run(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.xml"
    also = [] if option == "--junit" else ["--junit", str(other)]
    for path, why in ((tmp_path / "no" / "out", "No such file"), (tmp_path, "Is a directory")):
        assert main(["torture", "--seconds", "9999", *also, option, str(path)]) == 2
        assert re.search(f"{option} {re.escape(str(path))}: {why}", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options", [["--jsonl", "-", "--json"], ["--report", "out", "--junit", "./out"]]
)
def test_outputs_that_would_meet_in_one_place_are_refused(
    options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["torture", "--seconds", "9999", *options]) == 2
    assert list(tmp_path.iterdir()) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def live() -> Iterator[tuple[LiveProgress, io.StringIO]]:
    stream = Terminal()
    console = Console(file=stream, force_terminal=True, width=100, height=40, color_system=None)
    progress = LiveProgress(stream, console)
    yield progress, stream
    progress.done()


def test_the_live_table_shows_the_figures_and_is_gone_at_the_end(
    live: tuple[LiveProgress, io.StringIO],
) -> None:
    progress, stream = live
    progress.tick(a_tally(kills_wanted=10, moments={APPEND: 15, "recovery": 99}))
    shown = stream.getvalue()
    assert "3 of 10" in shown
    assert "━" * 10 in shown
    assert "recovery" in shown
    progress.tick(a_tally(kills=4))
    assert stream.getvalue() == shown  # it is too early
    progress.tell("[red]a line")
    assert "[red]a line" in stream.getvalue()
    progress.done()
    assert stream.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize(
    "stream, term, rich, kind",
    [
        (Terminal(), "xterm", True, LiveProgress),
        (Terminal(), "xterm", False, Progress),
        (Terminal(), "dumb", True, Progress),
        (io.StringIO(), "xterm", True, Progress),
    ],
)
def test_lines_remain_without_a_terminal_or_without_rich(
    stream: io.StringIO, term: str, rich: bool, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(torture_outputs, "find_spec", lambda _: object() if rich else None)
    assert type(torture_outputs.progress_on(stream)) is kind
