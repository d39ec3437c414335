"""What a terminal is shown: rows in a line each, and how far a long command is."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from bazanite_tools.grid import Grid, shortened, width


class _Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("with_rich", [True, False])
@pytest.mark.parametrize("columns", [24, 40, 80])
def test_a_row_takes_one_line_of_a_terminal(
    columns: int, with_rich: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm" if with_rich else "dumb")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = _Terminal()
    grid = Grid(terminal, ["id", "name", "note"], [True, False, False])
    rows = [["1", "\u6771" * 30, "x" * 70], ["2", "a", "NULL"]]
    assert grid.print(rows) == 2
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 4
    assert max(map(width, lines)) in (columns, columns - 1)
    assert lines[2].count("\u2026") == 2
    assert lines[3].split() == ["2", "a", "NULL"]
    assert ("\u2500" in lines[1]) == with_rich


def test_rich_keeps_later_batches_as_wide_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich", reason="the extra `terminal` is not installed")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = _Terminal()
    rows = [["a name that is long", str(n)] for n in range(1000)] + [["short", "7"]]
    assert Grid(terminal, ["name", "n"], [False, True]).print(rows) == 1001
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 1003
    assert len(lines[-1].rstrip()) == len(lines[-2].rstrip())


def test_too_many_columns_for_a_terminal_are_left_as_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = _Terminal()
    grid = Grid(terminal, [f"c{n}" for n in range(9)], [False] * 9)
    grid.print([["abcdefgh"] * 8 + ["NULL"]])
    assert "\u2026" not in terminal.getvalue()
    assert "\x1b[2mNULL\x1b[0m" in terminal.getvalue()
    assert "\x1b[1mc8\x1b[0m" in terminal.getvalue()


def test_widths_are_those_of_a_terminal() -> None:
    assert width("a\u0301") == 1
    assert width("\u6771a") == 3
    assert shortened("\u6771\u6771\u6771", 4) == "\u6771\u2026"
    assert shortened("abc", 3) == "abc"


@pytest.mark.parametrize("to_file", [True, False])
def test_only_who_writes_rows_into_a_file_is_told_how_far_it_is(
    to_file: bool, data: Path, tmp_path: Path
) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "bazanite_tools", "rows", str(data), "person", "--jsonl"]
    with (tmp_path / "rows.jsonl").open("wb") as file:
        output = file if to_file else subprocess.PIPE
        with subprocess.Popen(command, stdout=output, stderr=follower) as process:
            out = process.communicate()[0]
    os.write(follower, b".")  # or nothing could be read where nothing was written
    told = b""
    while not told.endswith(b"."):
        told += os.read(leader, 100)
    os.close(leader)
    os.close(follower)
    assert process.returncode == 0
    assert (told != b".") == (b"\r\x1b[K" in told) == to_file
    assert ((tmp_path / "rows.jsonl").read_bytes() or out).count(b"\n") == 3
