"""Where `bazanite torture` tells of a run: three files, stdout, and a live table."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bazanite_stress.crowd.moments import APPEND
from bazanite_stress.torture.report import Progress
from bazanite_tools import grid, torture_outputs
from bazanite_tools.cli import main
from bazanite_tools.torture_live import LiveProgress
from torture_report_support import Page, a_tally

COMMAND = [sys.executable, "-m", "bazanite_tools", "torture"]


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
    assert stream.getvalue().endswith("\x1b[2K\r\x1b[K")


def test_the_result_has_a_line_of_its_own_if_ctrl_c_comes_before_there_is_a_table(
    live: tuple[LiveProgress, io.StringIO],
) -> None:
    progress, stream = live
    progress.tell("8 processes commit")
    stream.write("^C")  # as the terminal does
    progress.done()
    assert stream.getvalue().endswith("^C\r\x1b[K")


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
    monkeypatch.setattr(grid, "find_spec", lambda _: object() if rich else None)
    assert type(torture_outputs.progress_on(stream)) is kind
