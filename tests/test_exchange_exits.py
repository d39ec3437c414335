"""How import, export, dump and load end: whole files or none, locks, Ctrl-C, closed pipes."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bazanite import DB, LockTimeout
from bazanite_tools.cli import main
from bazanite_tools.exchange.opened import one_state
from exchange_support import catalog, rows_of
from tools_support import City, Person, contents, run_json

FORMATS = ["csv", "jsonl", "sqlite", "postgres"]


def out_of(path: Path, form: str) -> tuple[list[str], Path]:
    """An export of ``path`` beside it, and the file that has its cities."""
    out = path.parent / "out"
    argv = ["export", f"{path}", f"{out}", "--to", form]
    return argv, out / f"city.{form}" if form in ("csv", "jsonl") else out


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_that_is_there_is_replaced_only_if_asked(
    form: str, closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, file = out_of(closed, form)
    assert main(argv) == 0
    first = file.read_bytes()
    file.write_bytes(b"precious")
    file.chmod(0o640)
    assert main(argv) == 2
    assert "--force replaces it" in capsys.readouterr().err
    assert file.read_bytes() == b"precious"
    code, document = run_json(capsys, *argv, "--force")
    assert (code, document["tables"]) == (0, {"city": 1, "person": 1})
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (first, 0o640)
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_that_is_interrupted_leaves_what_was_there(
    form: str, closed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    argv, file = out_of(closed, form)
    interrupt(monkeypatch, "iterate", after=2)
    assert main(argv) == 130
    assert [path.name for path in closed.parent.iterdir()] == ["closed"]
    monkeypatch.undo()
    assert main(argv) == 0
    before = contents(file.parent) if file.parent != closed.parent else file.read_bytes()
    interrupt(monkeypatch, "iterate", after=2)
    assert main([*argv, "--force"]) == 130
    after = contents(file.parent) if file.parent != closed.parent else file.read_bytes()
    assert after == before
    assert "interrupted" in capsys.readouterr().err


def interrupt(monkeypatch: pytest.MonkeyPatch, method: str, *, after: int) -> None:
    """Let the so manieth call of a database's method be where Ctrl-C comes."""
    usual, count = getattr(DB, method), 0

    def called(*args: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        if count == after:
            raise KeyboardInterrupt
        return usual(*args, **options)

    monkeypatch.setattr(DB, method, called)


@pytest.mark.parametrize("out", ["/dev/null", ".", "missing/out"])
def test_only_files_are_written(
    out: str, closed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(closed.parent)
    for argv in (["export", "closed", out, "--to", "sqlite"], ["dump", "closed", out]):
        assert main([*argv, "--force"]) == 2
    said = capsys.readouterr().err
    assert "no file" in said or "there is no directory" in said
    assert not Path("/dev/null").is_file()


@pytest.mark.parametrize(
    "text, new", [("name\nBergen\n", False), ("name\n" + "x\n" * 5000, True)], ids=["one", "many"]
)
def test_an_import_that_is_interrupted_leaves_nothing_half_done(
    text: str, new: bool, closed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "town.csv").write_text(text, "utf-8")
    (tmp_path / "city.csv").write_text("name\nRome\n", "utf-8")
    target = tmp_path / "new" if new else closed
    before = None if new else (rows_of(closed), catalog(closed))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bazanite_tools.import_command.refuse_dangling", interrupted)
    argv = ["import", f"{target}", f"{tmp_path}", "--from", "csv", "--append"]
    assert main(argv) == 130
    monkeypatch.undo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["city.csv", "closed", "town.csv"]
    if before is not None:
        assert (rows_of(closed), catalog(closed)) == before
    assert main(argv) == 0
    assert rows_of(target)["town"][0]["name"] in ("Bergen", "x")


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Somebody holds the directory's lock."""
    begun, done = threading.Event(), threading.Event()

    def hold() -> None:
        with DB([City, Person], path) as db, db.storage.lock():
            begun.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    begun.wait()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_a_busy_lock_is_exit_code_75(
    closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n", "utf-8")
    with held(closed):
        argvs: list[list[object]] = [
            ["export", closed, tmp_path / "out", "--to", "csv"],
            ["dump", closed, tmp_path / "out"],
            ["import", closed, tmp_path / "x.csv", "--from", "csv"],
        ]
        for argv in argvs:
            code, document = run_json(capsys, *argv, "--lock-timeout", 0.05)
            assert (code, document["exit_code"]) == (75, 75)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["closed", "x.csv"]


def test_all_that_is_written_is_of_one_state(closed: Path) -> None:
    args = argparse.Namespace(directory=str(closed), lock_timeout=1)
    refused: list[BaseException] = []

    def write() -> None:
        try:
            with DB([City], closed, lock_timeout=0.05) as db:
                db.insert("city", {"name": "late"})
        except LockTimeout as error:
            refused.append(error)

    with one_state(args) as db:
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert len(refused) == 1
        assert len(db.find_all("city")) == 1


@pytest.mark.parametrize("command", ["export", "dump", "import", "load"])
def test_a_directory_or_file_that_is_none_is_exit_code_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n", "utf-8")
    missing, other = f"{tmp_path}/missing", f"{tmp_path}/x.csv"
    argvs: dict[str, list[list[object]]] = {
        "export": [["export", missing, other, "--to", "csv"], ["export", other, other]],
        "dump": [["dump", missing, f"{tmp_path}/out"], ["dump", other, f"{tmp_path}/out"]],
        "import": [["import", missing, missing, "--from", "csv"],
                   ["import", other, other, "--from", "csv"],
                   ["import", tmp_path, other, "--from", "csv"]],
        "load": [["load", missing, f"{tmp_path}/none"], ["load", other, other]],
    }  # fmt: skip
    for argv in argvs[command]:
        assert main([*map(str, argv)]) == 2, argv
        assert capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


def test_a_dump_goes_through_a_pipe(closed: Path, tmp_path: Path) -> None:
    start = [sys.executable, "-m", "bazanite_tools"]
    dump = subprocess.run([*start, "dump", closed], capture_output=True, check=True)
    load = subprocess.run(
        [*start, "load", tmp_path / "copy", "--json"],
        input=dump.stdout, capture_output=True, check=True,
    )  # fmt: skip
    assert json.loads(load.stdout)["tables"] == {"city": 1, "person": 1}
    assert rows_of(tmp_path / "copy") == rows_of(closed)


def test_a_closed_pipe_is_no_traceback(closed: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "bazanite_tools", "dump", closed],
        stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (process.returncode, process.stderr) == (141, b"")


def test_a_dump_to_standard_output_has_no_place_for_another_document(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = run_json(capsys, "dump", closed)
    assert (code, document["exit_code"]) == (2, 2)


def test_a_long_export_tells_a_terminal_how_far_it_is(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    told = threading.Event()
    usual = terminal.write

    def write(text: str) -> int:
        if "rows" in text:
            told.set()
        return usual(text)

    monkeypatch.setattr(terminal, "write", write)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("bazanite_tools.progress._TERMINAL_SECONDS", 0.01)
    slow = DB.iterate

    def iterate(*args: Any) -> Any:
        assert told.wait(30)
        return slow(*args)

    monkeypatch.setattr(DB, "iterate", iterate)
    assert main(["export", f"{closed}", f"{closed.parent}/out", "--to", "csv"]) == 0
    assert "0 rows" in terminal.getvalue()


@pytest.mark.parametrize("durability", ["full", "normal", "off"])
def test_others_may_have_the_directory_open(durability: str, closed: Path, tmp_path: Path) -> None:
    (tmp_path / "city.csv").write_text("name\nRome\n", "utf-8")
    (tmp_path / "more.csv").write_text("a\n1\n", "utf-8")
    with DB([City, Person], closed, durability=durability, powersafe_overwrite=False) as db:
        db.insert("city", {"name": "Bergen"})
        assert main(["import", f"{closed}", f"{tmp_path}", "--from", "csv", "--append"]) == 0
        assert [row["name"] for row in db.find_all("city")] == ["Oslo", "Bergen", "Rome"]
        db.insert("city", {"name": "Paris"})
        assert main(["dump", f"{closed}", f"{tmp_path}/dump"]) == 0
    assert main(["load", f"{tmp_path}/copy", f"{tmp_path}/dump"]) == 0
    assert rows_of(tmp_path / "copy") == rows_of(closed)
    assert len(rows_of(closed)["city"]) == 4


@pytest.mark.parametrize("command", ["export", "dump", "import", "load"])
def test_each_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"\n  bazanite {command} " in capsys.readouterr().out
