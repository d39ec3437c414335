"""``insert``, ``upsert``, ``update``, ``delete``: what they change, and that they do it whole."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bazanite_tools.cli import main
from cli_support import ADA, run, stored
from tools_support import contents, run_json


def test_a_row_is_inserted_with_values_of_every_type(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "name=Ada", "city=1", "age=36", "paid=yes", "due=2026-11-26",
        "at=2026-11-26 15:33:10.123456", "seen=2026-01-02T04:04:05+01:00", "owes=12.5",
        'note="likes \\"x\\"\\nand more"', "photo=AAE=", 'extra={"a": [1, 2.5, "\u6771"]}',
    ]  # fmt: skip
    assert run(capsys, "insert", data, "person", *words) == (
        0, "inserted 1 row of person: id 4\n", "",
    )  # fmt: skip
    rows = stored(data, "person")
    assert rows[4] == {**ADA, "id": 4}
    assert {**rows[4], "id": 1} == rows[1]
    assert run(capsys, "insert", data, "person", "name=N", "paid=no", 'note="NULL"')[0] == 0
    assert run(capsys, "insert", data, "person", "name=N", "paid=no", "note=NULL")[0] == 0
    rows = stored(data, "person")
    assert (rows[5]["note"], rows[6]["note"]) == ("NULL", None)


def test_rows_that_were_printed_are_inserted_as_they_were(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lines, _ = run(capsys, "rows", data, "person", "--jsonl")
    before = stored(data, "person")
    assert run(capsys, "delete", data, "person", 1, 2, 3)[0] == 0
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, document = run_json(capsys, "insert", data, "person", "-")
    assert (code, document["count"], document["ids"]) == (0, 3, [1, 2, 3])
    assert stored(data, "person") == before


@pytest.mark.parametrize(
    "lines, error, status",
    [
        ('{"name": "A", "paid": true}\n{"name": 5}', "line 2: 'name' is CHAR(20)", 2),
        ('{"name": "A", "paid": true}\n{"name": "B"}', "'paid': The value can't be None", 1),
        ('{"name": "A", "paid": true}\n{"name": "B", "paid": true, "city": 9}', "id=9", 1),
        ('{"name": "A", "paid": true}\nx', "line 2: not a line of JSON", 2),
    ],
)
def test_all_rows_from_standard_input_are_stored_or_none(
    lines: str,
    error: str,
    status: int,
    data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = stored(data, "person")
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    code, out, err = run(capsys, "insert", data, "person", "-")
    assert (code, out, error in err, len(err.splitlines())) == (status, "", True, 1)
    assert stored(data, "person") == before


@pytest.mark.parametrize(
    "argv, error, status",
    [
        (["insert", "city", "name=Oslo"], "row with name 'Oslo' already exists (id 1)", 1),
        (["insert", "person", "name=A", "paid=no", "city=9"], "id=9 does not exist", 1),
        (["insert", "person", "name=A"], "'paid': The value can't be None", 1),
        (["insert", "city", "name=NULL"], "'name' is CHAR(12): 'NULL' is no such value", 2),
        (["insert", "city", "name"], "'name' is no COLUMN=VALUE", 2),
        (["insert", "city", "nope=1"], "no column 'nope'; there are id, name", 2),
        (["insert", "city", "-", "name=A"], "either - or values, not both", 2),
        (["insert", "nope", "name=A"], "no table 'nope'", 2),
        (["update", "city", "9", "name=A"], "Row with ID=9 does not exist", 1),
        (["update", "city", "1"], "no value is given", 2),
        (["update", "city", "name=A"], "or say --where", 2),
        (["update", "city", "1", "id=7"], "refer", 1),
        (["update", "city", "--where", "id>0", "name=A"], "already exists", 1),
        (["update", "city", "--where", "id>0", "7", "name=A"], "'7' is no COLUMN=VALUE", 2),
        (["delete", "city", "1", "9"], "city has no row with id 9; nothing was deleted", 1),
        (["delete", "city"], "either IDs or --where CONDITION", 2),
        (["delete", "city", "1", "--where", "id=1"], "either IDs or --where CONDITION", 2),
        (["delete", "city", "--where", "nope=1"], "no column 'nope'", 2),
        (["upsert", "city", "--on", "nope", "name=A"], "no column 'nope'", 2),
        (["upsert", "person", "--on", "paid", "paid=no", "name=A"], "finds several rows", 1),
        (["upsert", "city", "name=A"], "'id': a value is needed to find the row by", 1),
    ],
    ids=str,
)
def test_what_is_refused_is_one_line_and_changes_nothing(
    argv: list[str],
    error: str,
    status: int,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {name: text for name, text in contents(data).items() if name.endswith(".dat")}
    code, out, err = run(capsys, argv[0], data, *argv[1:])
    assert (code, out) == (status, "")
    assert error in err
    assert err.startswith(f"bazanite {argv[0]}: ")
    assert len(err.splitlines()) == 1
    code, document = run_json(capsys, argv[0], data, *argv[1:])
    assert (code, document["exit_code"]) == (status, status)
    assert before == {n: text for n, text in contents(data).items() if n.endswith(".dat")}


def test_upsert_changes_the_row_or_stores_one(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["upsert", data, "person", "--on", "name", "name=Bob", "age=8", "paid=no"]
    assert run(capsys, *words) == (0, "updated 1 row of person: id 3\n", "")
    assert stored(data, "person")[3]["age"] == 8
    words[-3] = "name=Eve"
    assert run(capsys, *words) == (0, "inserted 1 row of person: id 4\n", "")
    _, document = run_json(capsys, "upsert", data, "city", "id=2", "name=Roma")
    assert (document["done"], document["ids"]) == ("updated", [2])


def test_update_changes_one_row_or_all_that_are_found(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "update", data, "person", 3, "note=x", "age=NULL")[0] == 0
    assert (stored(data, "person")[3]["note"], stored(data, "person")[3]["age"]) == ("x", None)
    which = ["--where", "paid=no", "--where", "age=NULL"]
    words = ["update", data, "person", "note=y", *which, "owes=1"]
    assert run(capsys, *words) == (0, "updated 2 rows of person: ids 2 to 3\n", "")
    rows = stored(data, "person")
    assert [rows[pk]["note"] for pk in (1, 2, 3)] == [ADA["note"], "y", "y"]
    words = ["update", data, "person", "--any", "--where", "id=1", "--where", "name=Bob", "age=1"]
    assert run_json(capsys, *words)[1]["ids"] == [1, 3]
    assert run(capsys, "update", data, "person", "--where", "id=99", "age=1") == (
        1, "no row of person updated\n", "",
    )  # fmt: skip


def test_delete_takes_rows_by_id_or_all_that_are_found(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "delete", data, "city", 1) == (0, "deleted 1 row of city: id 1\n", "")
    assert set(stored(data, "person")) == {2, 3}  # the one that referred to it went, too
    assert run(capsys, "delete", data, "person", "--where", "id>0") == (
        0, "deleted 2 rows of person: ids 2 to 3\n", "",
    )  # fmt: skip
    assert stored(data, "person") == {}
    code, document = run_json(capsys, "delete", data, "person", "--where", "id>0")
    assert (code, document["count"]) == (1, 0)


@pytest.mark.parametrize(
    "answer, left", [("y\n", {2, 3}), ("n\n", {1, 2, 3}), ("\n", {1, 2, 3}), ("YES\n", {2, 3})]
)
def test_a_terminal_is_asked_before_rows_are_deleted(
    answer: str, left: set[int], data: Path
) -> None:
    command = ["delete", str(data), "person", "--where", "age>18"]
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "bazanite_tools", *command],
        stdin=follower, stdout=subprocess.PIPE, stderr=follower, text=True,
    ) as process:  # fmt: skip
        os.close(follower)
        asked = b""
        while b"[y/N]" not in asked:
            asked += os.read(leader, 1000)
        assert b"Delete 1 row of person? [y/N]" in asked
        os.write(leader, answer.encode())
        assert process.stdout is not None
        out = process.stdout.read()
    os.close(leader)
    done = (0, "deleted 1 row of person: id 1\n") if len(left) == 2 else (1, "")
    assert (process.returncode, out) == done
    assert set(stored(data, "person")) == left


def test_with_yes_nobody_is_asked(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bazanite_tools.delete_command.is_terminal", lambda: True)
    assert main(["delete", str(data), "person", "--where", "age>18", "--yes"]) == 0
    assert main(["delete", str(data), "person", "--where", "age>99"]) == 1  # nothing to ask about


def test_an_interrupt_leaves_nothing_half_done(data: Path) -> None:
    before = stored(data, "person")
    command = [sys.executable, "-m", "bazanite_tools", "insert", str(data), "person", "-"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        line = json.dumps({"name": "A", "paid": True})
        process.stdin.write(f"{line}\n" * 5000)  # more than a pipe holds: it reads
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert err.strip() == "bazanite: interrupted"
    assert stored(data, "person") == before
