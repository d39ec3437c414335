"""What a torture run tells at its end, or while it runs: the page, JUnit XML, lines."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bazanite_stress.crowd.moments import APPEND
from bazanite_stress.crowd.record import Record
from bazanite_stress.torture.chronicle import (
    OWN_ROWS,
    SHARED_ROWS,
    Chronicle,
)
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.report import Violation
from bazanite_stress.torture.report_charts import bars
from bazanite_stress.torture.report_html import as_html
from bazanite_stress.torture.report_junit import as_junit
from torture_report_support import MS, NASTY, Page, a_record, a_run, a_tally, commit


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


def test_a_round_of_whose_calls_nothing_is_known_shows_lives_only() -> None:
    tally, chronicle = a_tally(), Chronicle(began=0)
    record = a_record()
    record.events, record.commits = [], {0: 3}
    chronicle.over(1, OWN_ROWS, tally, record, [])
    text = as_html(tally, chronicle)
    page = Page(text)
    assert (page.classes("life"), page.classes("dead"), page.classes("recovery")) == (4, 4, 0)
    assert "Round 1, own rows: 4 processes in 2 slots.<" in text
    assert "hand-overs</label>" not in text


def test_one_long_bar_does_not_hide_how_near_the_others_are_to_the_line() -> None:
    text = bars({"no space": 3_000, "apply": 15, "recovery": 31}, line=30, low=["apply"])
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", text)]
    assert widths == [100.0, 12.5, 25.83]
    assert re.findall(r"left:([\d.]+)%", text) == ["25.00"] * 3
    assert Page(text).classes("cut") == 1
    assert ">3,000<" in text


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


def test_the_figures_of_the_lock_are_on_the_page_of_a_run_that_measured_it() -> None:
    tally = a_tally(fairness_min_max=0.875, wait_max_ms=12.0, takeover_p99_ms=3.0)
    assert "through most 0.88, longest wait" in as_html(tally, a_run(tally))


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
