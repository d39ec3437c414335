"""The commands of docs/exchange.md do what the page says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import tinydb

from bazanite import DB
from exchange_support import rows_of

PAGE = Path(__file__).resolve().parent.parent / "docs" / "exchange.md"


def commands(first: str) -> str:
    """The block of the page that begins with this line."""
    lines = PAGE.read_text("utf-8").splitlines()
    start = lines.index(f"    {first}")
    end = next(n for n in range(start, len(lines)) if not lines[n].startswith("    "))
    return "\n".join(line.removeprefix("    ") for line in lines[start:end])


def run(script: str, directory: Path) -> None:
    """Run it there, with this interpreter and its commands; every command must succeed."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        check=True, cwd=directory, env={**os.environ, "PATH": path},
    )  # fmt: skip


def test_a_file_of_tinydb_comes_over(tmp_path: Path) -> None:
    with tinydb.TinyDB(tmp_path / "db.json") as db:
        db.insert({"name": "Ada", "langs": ["Analytical Engine"]})
        db.table("city").insert({"name": "Oslo", "size": 0.7})
    run(commands("mkdir lines"), tmp_path)
    rows = rows_of(tmp_path / "data")
    assert rows["default"] == [{"id": 1, "name": "Ada", "langs": ["Analytical Engine"]}]
    assert [row["name"] for row in rows["city"]] == ["Oslo"]


def test_the_commands_for_csv_work(tmp_path: Path) -> None:
    (tmp_path / "depts.csv").write_text("id,name\n4,Sales\n", "utf-8")
    (tmp_path / "people.csv").write_text("name,salary,dept\nAda,12,4\n", "utf-8")
    (tmp_path / "more.csv").write_text("dept,salary,name\n4,7.25,Bob\n", "utf-8")
    first, typed, more, folder = commands("bazanite import data people.csv --from csv").splitlines()
    run(first, tmp_path)
    run("rm -r data; bazanite import data depts.csv --from csv", tmp_path)
    run(f"{typed}\n{more}", tmp_path)
    with DB.open(tmp_path / "data") as db:
        assert [(row["name"], str(row["salary"])) for row in db.find_all("people")] == [
            ("Ada", "12.00"),
            ("Bob", "7.25"),
        ]
    run(f"mkdir folder; mv people.csv folder; rm -r data; {folder}", tmp_path)
    assert [*rows_of(tmp_path / "data")] == ["people"]


def test_the_commands_that_give_rows_out_work(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name\nAda\n", "utf-8")
    run("bazanite import data people.csv --from csv", tmp_path)
    run(commands("bazanite export data folder --to csv"), tmp_path)
    assert {path.name for path in (tmp_path / "folder").iterdir()} == {"people.csv", "people.jsonl"}
    first, second, *packed = commands("bazanite dump data data.dump").splitlines()
    run("\n".join([first, second, "rm -r copy", *packed]), tmp_path)
    assert rows_of(tmp_path / "copy") == rows_of(tmp_path / "data")
