"""What a person sees of an exploration: progress, a table that fits, and Ctrl-C without a mess."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from bazanite_stress.explore import campaign as campaign_module
from bazanite_stress.explore.campaign import Campaign, Settings, TooManyShards, explore
from bazanite_stress.explore.report import as_table
from bazanite_stress.explore.tasks import TORN, Part, plan
from bazanite_tools import progress as progress_module
from bazanite_tools.cli import main
from bazanite_tools.progress import Progress

DEADLINE_SECONDS = 100


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_one_line_changes_by_itself_and_is_left_at_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(progress_module, "_TERMINAL_SECONDS", 0.001)
    monkeypatch.setenv("COLUMNS", "20")
    asked = threading.Semaphore(0)

    def line(seconds: float) -> str:
        asked.release()
        return f"{seconds:4.0f} s, and so much more than fits"

    terminal = Terminal()
    with Progress(line, stream=terminal) as progress:
        for _ in range(3):
            assert asked.acquire(timeout=DEADLINE_SECONDS)
        progress.tell("a line that stays, however long it may be")
    pieces = terminal.getvalue().split("\r\x1b[K")
    assert "a line that stays, however long it may be\n" in pieces
    assert pieces[1] == "   0 s, and so much"
    assert pieces[-1] == ""


def test_elsewhere_lines_are_whole_and_none_if_nobody_wants_them() -> None:
    stream = io.StringIO()
    with Progress(lambda _: "x" * 200, stream=stream) as progress:
        progress.now()
    assert stream.getvalue() == "x" * 200 + "\n"
    with Progress(lambda _: "never", always=False, stream=stream) as progress:
        progress.now()
        progress.tell("told")
    assert stream.getvalue().endswith("x\ntold\n")


def test_work_goes_on_when_nobody_reads_any_more() -> None:
    stream = io.StringIO()
    with (
        mock.patch.object(stream, "write", side_effect=BrokenPipeError),
        Progress(lambda _: "x", stream=stream) as progress,
    ):
        progress.now()


@pytest.mark.parametrize("scope", ["quick", "ci", "soak"])
def test_the_table_fits_eighty_columns_and_ends_in_the_verdict(scope: Any) -> None:
    campaign = Campaign(scope, 0, canary=True, jobs=256, seconds=99_999.0)
    for task in plan(scope, 0):
        torn = " (torn)" if task.tearing == TORN else ""
        part = Part(task.name + torn, task.profile, task.sector, way=task.way, points=9_999)
        part.legal, part.covered, part.visited, part.unique = 10**99, 10**90, 10**7, 10**6
        campaign.parts.append(part)
    lines = as_table(campaign).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-10].startswith("verdict ")
    headings = [
        line for line in lines if re.match(r"power cut, hostile disk, sectors of 512", line)
    ]
    assert "power cut, hostile disk, sectors of 512 bytes" in headings
    assert all(line == line.rstrip() for line in lines)


def test_an_interrupt_before_the_canary_is_no_verdict_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        campaign_module, "canary_is_found", mock.Mock(side_effect=KeyboardInterrupt)
    )
    campaign = explore(Settings(), lambda *_: None)
    assert (campaign.verdict, campaign.interrupted) == ("not measured", True)
    assert "not looked for yet" in as_table(campaign)


def test_ctrl_c_while_the_processes_start_is_one_document_and_no_traceback() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "bazanite_tools", "explore", "--json", "--jobs", "4"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(children.read_text().split()) < 3 and time.monotonic() < deadline:
            pass
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1, err
    document = json.loads(out)
    assert (document["verdict"], document["interrupted"]) == ("not measured", True)
    assert err == ""


def test_more_parts_than_tasks_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A part with nothing to do could never be "survived", nor what it is merged into."""
    count = len(plan("quick", 0))
    with pytest.raises(TooManyShards):
        explore(Settings(shard=(1, count + 1)), lambda *_: None)
    assert main(["explore", "--shard", f"7/{count + 1}"]) == 2
    told = f"--shard 7/{count + 1}: there are {count} tasks, so at most {count} parts"
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("command", ["explore", "mutants"])
def test_a_place_for_failures_that_is_none_is_told_before_the_work(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        assert main([command, "--out", str(place)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith(f"bazanite {command}: --out {place}: ")
        assert "[Errno" not in err
