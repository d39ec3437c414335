"""How the commands about rows end: no directory, a busy lock, a closed pipe, one document."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bazanite import DB
from bazanite_tools.cli import main
from cli_support import WITH_DIRECTORY, Cities, People, at, run

NEVER_WAITS = ("tables", "schema", "lock")


@pytest.mark.parametrize("argv", WITH_DIRECTORY, ids=" ".join)
def test_json_is_exactly_one_document(
    argv: list[str], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *at(argv, data), "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert document["directory"] == str(data)


@pytest.mark.parametrize("argv", [*WITH_DIRECTORY, ["shell", "DIR"]], ids=" ".join)
def test_a_directory_that_is_none_is_exit_code_2_and_not_made(
    argv: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    for path, error in (
        (tmp_path / "missing", "no such directory"),
        (tmp_path / "file", "is not a directory"),
        (empty, "not a Bazanite directory"),
    ):
        if argv[0] == "lock" and path == empty:
            continue  # nobody holds its lock
        code, out, err = run(capsys, *at(argv, path))
        assert (code, out) == (2, "")
        assert err.startswith(f"bazanite {argv[0]}: {path}: {error}")
        assert len(err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == [empty, tmp_path / "file"]


@pytest.mark.parametrize("argv", WITH_DIRECTORY, ids=" ".join)
def test_a_busy_lock_is_exit_code_75_and_its_holder_is_named(
    argv: list[str], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "import sys; from bazanite_tools.cli import main; sys.exit(main(sys.argv[1:]))"
    timeout = [] if argv[0] == "lock" else ["--lock-timeout", "0.05"]
    command = [sys.executable, "-c", program, *at(argv, data), "--json", *timeout]
    with DB([Cities, People], data) as db, db.storage.lock():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    document = json.loads(done.stdout)
    if argv[0] in NEVER_WAITS:
        assert done.returncode == 0
        return
    assert (done.returncode, document["exit_code"]) == (75, 75)
    assert f"pid {os.getpid()}" in document["error"]
    assert f"pid {os.getpid()}" in done.stderr


@pytest.mark.parametrize("how", [[], ["--json"], ["--jsonl"]], ids=str)
def test_a_closed_pipe_is_no_traceback(how: list[str], tmp_path: Path) -> None:
    with DB([Cities], tmp_path) as db:
        db.insert_ids("city", ({"name": f"c{n}"} for n in range(20_000)))
    command = [sys.executable, "-m", "bazanite_tools", "rows", str(tmp_path), "city", *how]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
    with DB([Cities], tmp_path) as db:
        assert db.check().ok


@pytest.mark.parametrize(
    "argv, error",
    [
        (["rows", "x"], "the following arguments are required: TABLE"),
        (["get", "x", "city", "-1"], "an id is a number"),
        (["get", "x", "city", "one"], "argument ID: an id is a number, not 'one'"),
        (["rows", "x", "city", "--limit", "-1"], "must be a number, 0 or above"),
        (["update", "x", "city"], "the following arguments are required"),
        (["delete", "x", "city", "y"], "argument ID: an id is a number, not 'y'"),
        (["find", "x", "city", "--frob"], "unrecognized arguments: --frob"),
        (["migrate", "x", "--add-column"], "expected one argument"),
    ],
    ids=str,
)
def test_wrong_usage_is_exit_code_2_and_one_document_with_json(
    argv: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    assert main([*argv, "--json"]) == 2
    captured = capsys.readouterr()
    assert error in json.loads(captured.out)["error"]
    assert captured.err.startswith(f"usage: bazanite {argv[0]} ")


def test_one_document_or_one_a_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "rows", data, "city", "--json", "--jsonl")
    assert (code, json.loads(out)["error"]) == (2, "either --json or --jsonl, not both")


def test_words_stand_before_and_behind_options(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["find", data, "--fields", "id", "person", "age>=7", "--order-by", "-age", "paid=no"]
    code, out, _ = run(capsys, *words)
    assert (code, out.split()) == (0, ["id", "--", "3"])


@pytest.mark.parametrize("argv", WITH_DIRECTORY, ids=" ".join)
def test_damage_is_a_finding_and_no_traceback(
    argv: list[str], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("schema.json", "person.dat", "wal.log"):
        damaged = data.parent / f"damaged_{name}"
        shutil.copytree(data, damaged)
        whole = (damaged / name).read_bytes()
        (damaged / name).write_bytes(b"?" * 5000 + whole[5000:])
        code, out, err = run(capsys, *at(argv, damaged), "--json")
        assert code in (0, 1)
        document = json.loads(out)
        assert ("error" in document) == (code == 1)
        assert len(err.splitlines()) == code


PIECES = [
    *("id", "name", "city", "age", "paid", "due", "at", "seen", "owes", "note", "photo", "extra"),
    *("=", "!", "<", ">", "~", "^", "*", ":", ",", '"', "NULL", "null", "is", " ", " is "),
    *("-1", "9" * 30, "true", "2026-11-26", "12.5", "[1]", "{", "}", "\\", "\u6771"),
]
WORDS = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(conditions=st.lists(WORDS, max_size=3), order=WORDS, fields=WORDS)
def test_no_words_make_a_search_end_with_a_traceback(
    conditions: list[str],
    order: str,
    fields: str,
    populated: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [f"--order-by={order}", "--json", "--", str(populated), "person", *conditions]
    code, out, err = run(capsys, "find", *words)
    assert code in (0, 1, 2)
    assert ("error" in json.loads(out)) == (code == 2)
    assert (code == 2) == bool(err)
    code, out, _ = run(capsys, "find", f"--fields={fields}", "--jsonl", *words[2:])
    assert code in (0, 1, 2)
    assert [type(json.loads(line)) for line in out.splitlines()] == [dict] * out.count("\n")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chances=st.data())
def test_no_damage_makes_a_reading_command_end_with_a_traceback(
    chances: st.DataObject, populated: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "data"
    shutil.copytree(populated, path)
    names = sorted(file.name for file in path.iterdir() if file.name != "wal.log")
    for _ in range(chances.draw(st.integers(1, 3))):
        file = path / chances.draw(st.sampled_from(names))
        content = file.read_bytes()
        offset = chances.draw(st.integers(0, len(content)))
        piece = chances.draw(st.binary(max_size=20))
        after = b"" if chances.draw(st.booleans()) else content[offset + len(piece) :]
        file.write_bytes(content[:offset] + piece + after)
    for argv in WITH_DIRECTORY[:5] + WITH_DIRECTORY[-2:]:
        assert main(at(argv, path)) in (0, 1, 2)
    shutil.rmtree(path)


def test_an_input_that_is_no_utf8_is_one_line(data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bazanite_tools", "insert", str(data), "city", "-"],
        input=b'{"name": "a"}\n{"name": "\xff"}\n', capture_output=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    expected = b"bazanite insert: the input is not utf-8: invalid start byte\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", expected)


@pytest.mark.parametrize("how", [[], ["--json"], ["--jsonl"]], ids=str)
def test_what_an_output_cannot_take_is_told_by_number(how: list[str], data: Path) -> None:
    command = [sys.executable, "-m", "bazanite_tools", "find", str(data), "person", "id=2", *how]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, check=True, env=environment)
    assert rb"\u6e05\u5c11" in done.stdout
    if how:
        found = json.loads(done.stdout)
        row = found["rows"][0] if "rows" in found else found
        assert row["name"] == "\u6e05\u5c11\u7d0d\u8a00"
