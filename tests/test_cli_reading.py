"""``tables``, ``schema``, ``rows``, ``get``, ``find``, ``stats``, ``lock``: what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, Field, IntegrityError, Schema, Table
from bazanite_tools.grid import width
from cli_support import ADA, Cities, People, run, stored
from tools_support import contents, run_json


def test_tables_counts_and_names_columns(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(data)
    code, document = run_json(capsys, "tables", data)
    assert (code, document["directory"]) == (0, str(data))
    city = document["tables"]["city"]
    assert (city["rows"], city["columns"], city["indexes"]) == (2, ["id", "name"], 1)
    assert city["size_bytes"] == sum(f.stat().st_size for f in data.glob("city*"))
    code, out, _ = run(capsys, "tables", data)
    lines = out.splitlines()
    assert lines[0].split() == ["table", "rows", "size", "columns"]
    assert lines[2].startswith("city       2  ")
    assert contents(data) == before


def test_schema_tells_types_indexes_and_references(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "schema", data)
    assert code == 0
    for line in (
        "name    CHAR(12)  unique",
        "city    FK(city,cascade) null  index",
        "seen    DATETIME(utc) null",
        "owes    DECIMAL(9,2) null",
        "index (city, age)",
        "referred to by person.city, on delete: cascade",
    ):
        assert line in out.splitlines()
    code, out, _ = run(capsys, "schema", data, "city")
    assert (code, "person:" in out) == (0, False)
    code, document = run_json(capsys, "schema", data, "person")
    assert (code, [*document["tables"]]) == (0, ["person"])
    columns = {column["name"]: column for column in document["tables"]["person"]["columns"]}
    assert columns["city"]["references"] == "city"
    assert columns["owes"]["digits"] == 9
    assert run(capsys, "schema", data, "nope")[0::2] == (
        2,
        "bazanite schema: no table 'nope'; there are city, person\n",
    )


def test_the_printed_classes_open_the_directory(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(capsys, "schema", data, "--python")
    assert code == 0
    made: dict[str, type[Table]] = {}
    exec(compile(out, "pasted", "exec"), made)
    classes = [made["City"], made["Person"]]
    catalog = (data / "schema.json").read_bytes()
    with DB(classes, data) as db:
        assert len(db.find_all("person")) == 3
    DB(classes, tmp_path / "new").close()
    assert (tmp_path / "new" / "schema.json").read_bytes() == catalog


def test_odd_names_become_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def table(called: str) -> type[Table]:
        schema = Schema([Field("id", PK()), Field('it\'s "so"', CHAR(3))])
        return type("T", (Table,), {"name": called, "schema": schema})

    tables = [table(n) for n in ("2nd", "a-b", "a_b", "class", "Field")]
    DB(tables, tmp_path, int_width=6, checksums=True).close()
    _, out, _ = run(capsys, "schema", tmp_path, "--python")
    assert "# DB(..., int_width=6, checksums=True)" in out
    made: dict[str, object] = {}
    exec(compile(out, "pasted", "exec"), made)
    classes = [c for c in made.values() if isinstance(c, type) and issubclass(c, Table)]
    DB([c for c in classes if c is not Table], tmp_path).close()
    assert len(classes) == 6


def test_rows_in_any_order_so_many_of_these_columns(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--order-by", "-age,name", "--fields", "name,age", "--limit", "2", "--offset", "1"]
    code, out, err = run(capsys, "rows", data, "person", *options)
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["name", "age"], ["--------", "----"], ["Bob", "7"], ["\u6e05\u5c11\u7d0d\u8a00", "NULL"],
    ]  # fmt: skip
    assert len({width(line) for line in out.splitlines()}) == 1


def test_rows_as_json_and_lines_of_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run_json(capsys, "rows", data, "person")
    assert (code, document["table"], document["row_count"]) == (0, "person", 3)
    assert document["rows"][0] == {
        "id": 1,
        **ADA,
        "due": "2026-11-26",
        "at": "2026-11-26T15:33:10.123456",
        "seen": "2026-01-02T03:04:05+00:00",
        "owes": "12.50",
        "photo": "AAE=",
    }
    code, out, _ = run(capsys, "rows", data, "person", "--jsonl")
    assert [json.loads(line) for line in out.splitlines()] == document["rows"]
    code, document = run_json(capsys, "find", data, "person", "name=nobody")
    assert (code, document["rows"], document["row_count"]) == (1, [], 0)


def test_an_error_amid_the_rows_ends_the_document(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(*_: object, **__: object) -> Iterator[object]:
        yield from stored(data, "city").values()
        raise IntegrityError("torn", "city", [])

    monkeypatch.setattr(DB, "iterate", rows)
    code, document = run_json(capsys, "rows", data, "city")
    assert (code, document["row_count"], document["error"]) == (1, 2, "torn")
    assert document["exit_code"] == 1


def test_get_prints_every_value_whole(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "get", data, "person", 1)
    assert code == 0
    assert 'note   "likes \\"x\\"\\nand more"' in out.splitlines()
    assert "seen   2026-01-02 03:04:05Z" in out.splitlines()
    code, document = run_json(capsys, "get", data, "person", 3)
    assert (code, document["row"]["name"], document["row"]["note"]) == (0, "Bob", None)
    assert run(capsys, "get", data, "person", 9) == (
        1, "", "bazanite get: person has no row with id 9\n",
    )  # fmt: skip
    assert run_json(capsys, "get", data, "person", 9) == (
        1, {"error": "person has no row with id 9", "exit_code": 1},
    )  # fmt: skip


def test_find_counts_and_explains(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "find", data, "person", "age>=7", "--count") == (0, "2\n", "")
    assert run(capsys, "find", data, "person", "age>=99", "--count") == (1, "0\n", "")
    assert run(capsys, "find", data, "person", "--count", "--limit", 1)[1] == "1\n"
    code, out, _ = run(capsys, "find", data, "person", "city=1", "--explain", "age>3")
    assert (code, out.splitlines()[0]) == (
        0, "person: read a stretch of the index of city, age",
    )  # fmt: skip
    _, document = run_json(capsys, "find", data, "person", "age>3", "--explain")
    assert document["plan"][0] == "person: read the whole table"
    assert run_json(capsys, "find", data, "person", "--count")[1]["count"] == 3


@pytest.mark.parametrize(
    "argv, error",
    [
        (["rows", "nope"], "no table 'nope'; there are city, person"),
        (["rows", "person", "--fields", "name,nope"], "no column 'nope'; there are id, name"),
        (["rows", "person", "--order-by", "-nope"], "no column '-nope'"),
        (["rows", "person", "--order-by", "extra"], "the values of a JSON have no order"),
        (["find", "person", "due>=soon"], "'due' is DATE null: 'soon' is no such value"),
    ],
)
def test_what_a_table_does_not_have_is_usage(
    argv: list[str], error: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, argv[0], data, *argv[1:])
    assert (code, out) == (2, "")
    assert error in err
    assert len(err.splitlines()) == 1
    code, document = run_json(capsys, argv[0], data, *argv[1:])
    assert (code, document["exit_code"]) == (2, 2)


def test_a_killed_directory_is_recovered_by_who_reads_rows(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (killed / "person.dat").write_bytes(b"")  # as if a power cut took what was never synced
    assert run(capsys, "rows", killed, "person", "--fields", "id")[1].split() == ["id", "--", "1"]


def test_stats_and_sizes(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run_json(capsys, "stats", data)
    assert (code, document["stats"]["attached_processes"]) == (0, 0)
    assert document["tables"]["city"]["rows_bytes"] == (data / "city.dat").stat().st_size
    person = document["tables"]["person"]
    total = sum(size for name, size in person.items() if name.endswith("_bytes"))
    assert total == sum(f.stat().st_size for f in data.glob("person*"))
    code, out, _ = run(capsys, "stats", data)
    assert (code, "LSN: " in out, "of wal.log" in out) == (0, True, True)


def test_the_log_keeps_its_size_and_its_promise_about_sectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DB([Cities], tmp_path, log_size_bytes=16384, powersafe_overwrite=False).close()
    before = (tmp_path / "wal.log").stat().st_size
    assert run(capsys, "insert", tmp_path, "city", "name=Oslo")[0] == 0
    assert (tmp_path / "wal.log").stat().st_size == before
    with DB([Cities], tmp_path, powersafe_overwrite=False) as db:
        assert db.find_all("city") == [{"id": 1, "name": "Oslo"}]


def test_a_directory_in_use_is_opened_as_its_users_use_it(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for pk, level in enumerate(("full", "normal", "off"), 3):
        with DB([Cities, People], data, durability=level) as db:
            assert run(capsys, "insert", data, "city", f"name={level}") == (
                0, f"inserted 1 row of city: id {pk}\n", "",
            )  # fmt: skip
            assert db.find_by_id("city", pk) == {"id": pk, "name": level}
            command = [sys.executable, "-m", "bazanite_tools", "get", str(data), "city", str(pk)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert done.stdout == f"id    {pk}\nname  {level}\n"
            code, document = run_json(capsys, "lock", data)
            assert (code, document["durability"], document["locked"]) == (0, level, False)
            assert [user["pid"] for user in document["attached"]] == [os.getpid()]
    assert run_json(capsys, "lock", data)[1]["durability"] is None
    assert run(capsys, "rows", data, "city")[0] == 0


def test_lock_names_who_holds_and_who_waits_and_blocks_nobody(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = (
        "import sys; from bazanite import DB; db = DB.open(sys.argv[1])\n"
        "print('open', flush=True); sys.stdin.readline()\n"
        "with db.storage.lock(): print('held', flush=True); sys.stdin.readline()\n"
        "db.close()\n"
    )
    command = [sys.executable, "-c", program, str(data)]
    pipe = subprocess.PIPE
    with DB([Cities], data) as db, subprocess.Popen(
        command, stdin=pipe, stdout=pipe, text=True
    ) as waiter:  # fmt: skip
        assert waiter.stdout is not None
        assert waiter.stdin is not None
        assert waiter.stdout.readline() == "open\n"
        with db.storage.lock():
            waiter.stdin.write("\n")
            waiter.stdin.flush()
            while not (document := run_json(capsys, "lock", data)[1])["waiting"]:
                pass  # it comes to the lock as soon as it is let run
            assert document["locked"]
            assert document["holder"]["pid"] == os.getpid()
            assert document["waiting"][0]["pid"] == waiter.pid
            _, out, _ = run(capsys, "lock", data)
            assert f"lock:    held by pid {os.getpid()} (" in out
            assert f"waiting: pid {waiter.pid} (" in out
        assert waiter.stdout.readline() == "held\n"
        _, document = run_json(capsys, "lock", data)
        assert (document["holder"]["pid"], document["waiting"]) == (waiter.pid, [])
        waiter.stdin.write("\n")
    code, out, _ = run(capsys, "lock", data)
    assert (code, out) == (0, "lock:    free\nwaiting: nobody\nopen in: 0 processes\n")


def test_a_directory_that_was_never_opened_has_no_lock(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = run_json(capsys, "lock", tmp_path)
    assert (code, document["locked"], document["attached"]) == (0, False, [])
    assert list(tmp_path.iterdir()) == []


def test_all_rows_go_by_in_a_memory_that_does_not_grow(tmp_path: Path) -> None:
    class Wide(Table):  # so that few rows are read at a time
        name = "city"
        schema = Schema([Field("id", PK()), Field("name", CHAR(500))])

    with DB([Wide], tmp_path / "data") as db:
        db.insert_ids("city", ({"name": f"city {n}"} for n in range(4500)))
    program = (
        "import sys, tracemalloc; from bazanite_tools.cli import main\n"
        "main([*sys.argv[1:], '--limit', '1'])\n"
        "tracemalloc.start(); code = main(sys.argv[1:])\n"
        "print(code, tracemalloc.get_traced_memory()[1], file=sys.stderr)\n"
    )

    def peak(*how: str) -> int:
        command = [sys.executable, "-c", program, "rows", str(tmp_path / "data"), "city", *how]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        code, traced = map(int, done.stderr.split())
        assert code == 0
        assert ("city 4499" in done.stdout) == ("--limit" not in how)
        return traced

    of_a_third = peak("--jsonl", "--limit", "1500")
    for how in (["--jsonl"], ["--json"], []):
        assert peak(*how) < 1.3 * of_a_third


def test_who_reads_does_not_disturb_who_writes(data: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from bazanite import DB\n"
        "with DB.open(sys.argv[1], lock_timeout=10) as db:\n"
        "    for n in range(150): db.insert('city', {'name': f'c{n}'})\n"
        "    print(db.count('city'))\n"
    )
    command = [sys.executable, "-c", program, str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        rounds = 0
        while writer.poll() is None:
            words = [sys.executable, "-m", "bazanite_tools", "rows", str(data), "city", "--json"]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            assert len(json.loads(done.stdout)["rows"]) >= 2
            rounds += 1
        assert writer.stdout is not None
        assert (writer.returncode, writer.stdout.read()) == (0, "152\n")
    assert rounds
