"""How every ``bazanite`` command ends: exit code, usage, busy lock, closed pipe, damaged input."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bazanite_tools.cli import _COMMANDS, GROUPS, main
from bazanite_wal.header import FRAMES_START
from tools_support import READ_ONLY, contents, run_json


@pytest.fixture
def holder(closed: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has the directory open, and holds its lock until its input ends."""
    program = (
        "import sys; from tools_support import City, Person; from bazanite import DB\n"
        f"db = DB([City, Person], {str(closed)!r})\n"
        "with db.storage.lock(): print('held', flush=True); sys.stdin.readline()\n"
        "print('free', flush=True); sys.stdin.readline(); db.close()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    ) as process:
        yield process
        process.kill()


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def proceed(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_busy_lock_is_exit_code_75_and_users_are_named(
    holder: subprocess.Popen[str], closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(holder) == "held"
    for command in [*READ_ONLY, ["checkpoint"]]:
        code, document = run_json(capsys, *command, closed, "--lock-timeout", 0.05)
        if command == ["info"]:  # it looks without the lock, and names who has it
            assert (code, document["lock_holder"]["pid"]) == (0, holder.pid)
        else:
            assert (code, document["exit_code"]) == (75, 75)
            assert f"pid {holder.pid}" in document["error"]
    proceed(holder)
    assert answer(holder) == "free"
    code, document = run_json(capsys, "info", closed)
    assert code == 0
    assert [user["pid"] for user in document["attached"]] == [holder.pid]
    assert document["durability"] == "full"
    assert main(["info", str(closed)]) == 0
    assert f"in use by: pid {holder.pid}" in capsys.readouterr().out
    assert main(["checkpoint", str(closed)]) == 0
    assert "beside other processes" in capsys.readouterr().out


@pytest.mark.parametrize(
    "argv",
    [[], ["frob"], ["check"], ["wal"], ["wal", "frob"], ["check", "x", "--lock-timeout", "-1"]],
    ids=str,
)
def test_wrong_usage_is_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert "usage:" in captured.err
    assert captured.out == ""


def test_a_directory_that_is_none_is_exit_code_2_and_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in [*READ_ONLY, ["checkpoint"]]:
        assert main([*command, str(tmp_path / "missing")]) == 2
        assert main([*command, str(tmp_path)]) == 2
        first, second = capsys.readouterr().err.splitlines()
        name = " ".join(command)
        assert first == f"bazanite {name}: {tmp_path}/missing: no such directory"
        assert second.startswith(f"bazanite {name}: {tmp_path}: not a Bazanite directory")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["check", f"{tmp_path}/file"]) == 2
    assert capsys.readouterr().err == f"bazanite check: {tmp_path}/file: is not a directory\n"


@pytest.mark.parametrize(
    "argv, error",
    [
        (["check"], "the following arguments are required: DIR"),
        (
            ["check", "x", "--lock-timeout", "y"],
            "argument --lock-timeout: must be a number, 0 or above, not 'y'",
        ),
        (
            ["torture", "--seconds", "abc"],
            "argument --seconds: must be a number above 0, at most 1000000, not 'abc'",
        ),
        (
            ["torture", "--writers", "abc"],
            "argument --writers: must be a number from 1 to 64, not 'abc'",
        ),
        (
            ["wal", "show", "x", "--last", "-1"],
            "argument --last: must be a number, 0 or above, not '-1'",
        ),
    ],
    ids=str,
)
def test_wrong_usage_is_one_document_with_json(
    argv: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*argv, "--json"]) == 2
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"error": error, "exit_code": 2}
    command = " ".join(argv[:2] if argv[0] == "wal" else argv[:1])
    assert captured.err.startswith(f"usage: bazanite {command} ")
    assert captured.err.endswith(f"bazanite {command}: error: {error}\n")


def test_info_waits_a_second_at_most(
    holder: subprocess.Popen[str], closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(holder) == "held"
    begin = time.monotonic()
    assert main(["info", str(closed)]) == 0
    assert 1 <= time.monotonic() - begin < 5
    assert "held by" in capsys.readouterr().out
    assert main(["info", "--help"]) == 0
    assert "(default: 1)" in " ".join(capsys.readouterr().out.split())


def test_help_fits_a_screen_and_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 24 <= len(lines) <= 40
    assert max(map(len, lines)) < 80
    assert "examples:" in lines
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(_COMMANDS)
    for title, names in GROUPS.items():
        place = lines.index(f"{title}:")
        block = list(takewhile(lambda line: line.startswith("  "), lines[place + 1 :]))
        shown = [re.split("  +", line.strip(), maxsplit=1) for line in block]
        assert ", ".join(name for name, _ in shown) == ", ".join(names)
        assert all(told == _COMMANDS.get(name, ("", told))[1] for name, told in shown)


@pytest.mark.parametrize("words", [*_COMMANDS, "wal show", "wal verify", "wal tail", "wal archive"])
def test_the_help_of_each_command_fits_a_terminal_and_shows_an_example(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*words.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) < 80
    assert "example" in out.lower()
    assert " ".join(out.split()).count(f"bazanite {words} ") >= 2  # in the usage, and in an example


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("bazanite 0.")


def test_a_closed_pipe_is_no_traceback(killed: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "bazanite_tools", "wal", "show", str(killed)],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (process.returncode, process.stderr) == (141, b"")


def test_an_interrupt_is_exit_code_130_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bazanite_tools.check_command.log_state", interrupted)
    assert main(["check", str(killed)]) == 130
    assert capsys.readouterr().err == "\nbazanite: interrupted\n"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_makes_a_command_fail_with_a_traceback(
    data: st.DataObject, built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "data"
    shutil.copytree(built["killed"], path)
    names = sorted(file.name for file in path.iterdir())
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(names))
        content = (path / name).read_bytes()
        end = min(len(content), FRAMES_START + 2500)
        offset = data.draw(st.integers(0, end))
        piece = data.draw(st.binary(max_size=20))
        after = b"" if data.draw(st.booleans()) else content[offset + len(piece) :]
        (path / name).write_bytes(content[:offset] + piece + after)
    before = contents(path)
    for command in READ_ONLY:
        assert main([*command, str(path)]) in (0, 1)
    assert contents(path) == before
    shutil.rmtree(path)
