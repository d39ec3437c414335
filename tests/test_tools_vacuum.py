"""``bazanite vacuum``: what it prints, and what it leaves when it is stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bazanite import DB
from bazanite_tools.cli import main
from tools_support import City, Person
from vacuum_support import between_steps, tiny_steps


@pytest.fixture
def holed(tmp_path: Path) -> Path:
    """Two tables, of each of which half the rows are gone."""
    path = tmp_path / "data"
    with DB([City, Person], path, durability="off") as db:
        db.insert_many("city", [{"name": f"c{number}"} for number in range(40)])
        db.insert_many("person", [{"note": f"note {number}" * 5} for number in range(40)])
        for table in ("city", "person"):
            for pk in range(1, 41, 2):
                db.delete_by_id(table, pk)
    return path


def size(path: Path, *names: str) -> int:
    return sum((path / name).stat().st_size for name in names)


def test_it_tells_how_many_bytes_of_each_table_were_freed(
    holed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("person.dat", "person.text.dat", "person__free.dat")
    before = size(holed, *files)
    assert main(["vacuum", str(holed), "person", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert told["freed_bytes"] == {"person": before - size(holed, *files)}
    assert told["freed_bytes"]["person"] > 1000
    assert main(["vacuum", str(holed)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[-2:]] == ["city", "person"]
    assert lines[-1].split()[1:] == ["0", "B"]
    assert main(["check", str(holed)]) == 0


def test_a_table_that_is_not_there_is_refused_before_anything_is_done(
    holed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = size(holed, "city.dat")
    assert main(["vacuum", str(holed), "city", "town"]) == 2
    assert "no table 'town'" in capsys.readouterr().err
    assert size(holed, "city.dat") == before


def test_stopped_in_the_middle_it_leaves_what_is_done_and_goes_on(
    holed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[int] = []

    def interrupt() -> None:
        steps.append(1)
        if len(steps) == 12:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        tiny_steps(patch)
        between_steps(patch, interrupt)
        assert main(["vacuum", str(holed)]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert main(["check", str(holed)]) == 0
    with DB.open(holed) as db:
        assert [row["id"] for row in db.find_all("city")] == [*range(2, 41, 2)]
        assert [row["id"] for row in db.find_all("person")] == [*range(2, 41, 2)]
        assert db.vacuum() > 0
        assert db.vacuum() == 0
