"""``wal tail`` and ``wal archive``: what they print, where they end, and how."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pytest

from bazanite import (
    BLOB,
    BOOL,
    DATE,
    DATETIME,
    DB,
    DECIMAL,
    JSON,
    PK,
    Field,
    Schema,
    Table,
)
from bazanite_tools.cli import main
from tools_support import City, Person, contents, fill, run_json

ONE_COMMIT = (
    '  insert   person 1 city_id=1 note="likes \\u201cquotes\\u201d"\n'
    "  insert   person 2 city_id=null note=null\n"
)  # fmt: skip


def lines(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, list[dict[str, Any]]]:
    code = main(["wal", "tail", *map(str, argv), "--json"])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def archived(path: Path) -> DB:
    with DB([City, Person], path) as db:
        db.archive(1 << 20)
    return fill(path)


def test_each_transaction_is_a_line_of_json_with_where_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archived(tmp_path).close()
    before = contents(tmp_path)
    code, found = lines(capsys, tmp_path)
    assert code == 0
    assert [commit["changes"] for commit in found] == [
        [{"table": "city", "op": "insert", "id": 1, "row": {"id": 1, "name": "Oslo"}}],
        [
            {"table": "person", "op": "insert", "id": 1,
             "row": {"id": 1, "city_id": 1, "note": "likes \u201cquotes\u201d"}},
            {"table": "person", "op": "insert", "id": 2,
             "row": {"id": 2, "city_id": None, "note": None}},
        ],
        [{"table": "person", "op": "delete", "id": 2}],
    ]  # fmt: skip
    for number, commit in enumerate(found):
        assert lines(capsys, tmp_path, "--from", commit["lsn"]) == (0, found[number + 1 :])
        assert lines(capsys, tmp_path, "--from", commit["lsn"] - 1) == (0, found[number:])
    assert contents(tmp_path) == before


def test_for_a_person_it_is_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with archived(tmp_path) as db:
        db.update_by_id("person", 1, {"city_id": None})
        db.vacuum("person")
        db.truncate("person")
    assert main(["wal", "tail", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert err.startswith("note: from LSN ")
    assert ONE_COMMIT in out
    shown = [line for line in out.splitlines() if not line.startswith("LSN ")]
    assert shown[3:] == [
        "  delete   person 2",
        "  update   person 1 city_id=null (unchanged: note)",
        "  vacuum   person",
        "  truncate person",
    ]


class Kinds(Table):
    name = "kinds"
    schema = Schema(
        [
            Field("id", PK()),
            Field("day", DATE()),
            Field("at", DATETIME(utc=True)),
            Field("price", DECIMAL(9, 2)),
            Field("data", BLOB()),
            Field("tree", JSON()),
            Field("yes", BOOL()),
        ]
    )


def test_values_of_every_type_are_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "day": date(2026, 11, 26), "at": datetime(2026, 11, 26, 15, 33, 10, 5, UTC),
        "price": Decimal("-12.50"), "data": b"\0\xff", "tree": {"a": [1, 2.5, None]}, "yes": True,
    }  # fmt: skip
    with DB([Kinds], tmp_path) as db:
        db.insert("kinds", row)
        _, [_, commit] = lines(capsys, tmp_path)
    assert commit["changes"][0]["row"] == {
        "id": 1, "day": "2026-11-26", "at": "2026-11-26T15:33:10.000005+00:00",
        "price": "-12.50", "data": "AP8=", "tree": {"a": [1, 2.5, None]}, "yes": True,
    }  # fmt: skip


def test_what_is_gone_is_named_and_never_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path).close()
    assert lines(capsys, tmp_path) == (0, [])
    assert main(["wal", "tail", str(tmp_path), "--from", "8192"]) == 1
    told = capsys.readouterr().err
    assert "behind LSN 8192, up to LSN " in told
    assert "bazanite wal archive" in told
    code, [document] = lines(capsys, tmp_path, "--from", "8192")
    assert (code, document["exit_code"]) == (1, 1)
    assert document["error"] in told


def test_a_wrong_position_or_directory_is_a_wrong_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "data").close()
    assert main(["wal", "tail", str(tmp_path / "data"), "--from", "99999999999"]) == 2
    assert "never had a position 99999999999" in capsys.readouterr().err
    assert main(["wal", "tail", str(tmp_path / "none")]) == 2
    assert capsys.readouterr().err == f"bazanite wal tail: {tmp_path}/none: no such directory\n"
    assert not (tmp_path / "none").exists()
    assert main(["wal", "tail", str(tmp_path)]) == 2
    assert "there is no wal.log" in capsys.readouterr().err


def test_a_schema_is_told_once_and_an_index_build_not_at_each_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from bazanite import CHAR, AddColumn, AddIndex, Migration

    with archived(tmp_path) as db:
        db.insert_many("city", [{"name": f"c{i}"} for i in range(9000)])
        before = db.stats()["end_lsn"]
        step = AddColumn("city", Field("land", CHAR(2, null=True)), "no")
        db.migrate([Migration(1, "land", [step, AddIndex("city", "land")])])
        db.update_by_id("city", 7, {"land": "se"})
        _, found = lines(capsys, tmp_path, "--from", before)
    changes = [change for commit in found for change in commit["changes"]]
    assert changes == [
        {"table": "city", "op": "schema"},  # the column
        {"table": "city", "op": "schema"},  # the index
        {"table": "city", "op": "update", "id": 7, "row": {"id": 7, "name": "c5", "land": "se"}},
    ]


def test_the_archive_is_turned_on_shown_and_turned_off(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = fill(tmp_path)
    assert main(["wal", "archive", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path}: archive off\n"
    assert main(["wal", "archive", str(tmp_path), "--keep", "64KiB"]) == 0
    assert "archive on, keeps 64.0 KiB; has LSN" in capsys.readouterr().out
    db.insert("city", {"name": "Rome"})
    db.close()
    code, document = run_json(capsys, "wal", "archive", tmp_path)
    assert (code, document["keep_bytes"], document["problems"]) == (0, 65536, [])
    [segment] = document["segments"]
    assert segment["first"] == document["start_lsn"] < segment["end"]
    for command in ("info", "check"):
        _, told = run_json(capsys, command, tmp_path)
        assert told["archive"]["segments"] == [segment]
    assert main(["info", str(tmp_path)]) == 0
    assert "archive:   on, keeps 64.0 KiB; has LSN" in capsys.readouterr().out
    assert main(["wal", "archive", str(tmp_path), "--off"]) == 0
    assert "archive off; has LSN" in capsys.readouterr().out
    assert main(["wal", "archive", str(tmp_path), "--keep", "0"]) == 2
    assert main(["wal", "archive", str(tmp_path), "--keep", "1", "--off"]) == 2


@pytest.mark.parametrize("damage", ["a frame", "a line", "the head", "the settings"])
def test_check_finds_damage_in_the_archive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    archived(tmp_path).close()
    assert main(["check", str(tmp_path)]) == 0
    [path] = tmp_path.glob("wal.*.archive")
    if damage == "the settings":
        path = tmp_path / "wal.archive"
    data = bytearray(path.read_bytes())
    place = {"a frame": data.find(b"Oslo"), "a line": data.find(b" salt=") + 7}.get(damage, 30)
    data[place] ^= 1
    path.write_bytes(data)
    capsys.readouterr()
    assert main(["check", str(tmp_path)]) == 1
    assert f"PROBLEM {path.name}" in capsys.readouterr().out
    assert main(["wal", "archive", str(tmp_path), "--off"]) == (damage in ("a line", "the head"))


@contextmanager
def following(*argv: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bazanite_tools", "wal", "tail", *map(str, argv), "--follow"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def read(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline()


def test_it_follows_until_it_is_interrupted(tmp_path: Path) -> None:
    with archived(tmp_path) as db, following(tmp_path, "--json") as process:
        assert [json.loads(read(process.stdout))["changes"][0]["op"] for _ in range(3)] == [
            "insert", "insert", "delete",
        ]  # fmt: skip
        with db.storage.lock():  # nobody else may write meanwhile, and it needs no lock
            row = db.insert("city", {"name": "Rome"})
            assert json.loads(read(process.stdout))["changes"][0]["row"] == dict(row)
        db.checkpoint()
        db.delete_by_id("city", 2)
        assert json.loads(read(process.stdout))["changes"][0]["op"] == "delete"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert process.stderr is not None
        assert process.stderr.read() == "\nbazanite: interrupted\n"


def test_it_ends_without_a_traceback_when_nobody_reads(tmp_path: Path) -> None:
    with archived(tmp_path) as db, following(tmp_path, "--json") as process:
        read(process.stdout)
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        db.insert("city", {"name": "Rome"})
        db.insert("city", {"name": "Bonn"})
        assert process.wait(30) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""
