"""``bazanite repair``: its exit status, what it prints, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import DB
from bazanite_tools.cli import main
from tools_support import contents, patch, run_json


def test_a_sound_directory_is_copied_whole_and_nothing_is_in_doubt(
    killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(killed)
    assert main(["repair", str(killed), "--output", str(tmp_path / "new")]) == 0
    assert "2 rows saved, 0 not; nothing is in doubt" in capsys.readouterr().out
    assert main(["check", str(tmp_path / "new")]) == 0
    assert contents(killed) == before
    with DB.open(str(tmp_path / "new")) as db:
        assert [row["name"] for row in db.find_all("city")] == ["Oslo"]


def test_a_row_that_is_not_saved_is_a_finding(
    closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patch(closed / "city.dat", 0, b"?")
    code, document = run_json(capsys, "repair", closed, "--output", str(tmp_path / "new"))
    assert code == 1
    assert not document["ok"]
    assert document["not_saved"] == [
        {"table": "city", "id": 1, "slot": 0, "why": "'id' is no PK", "certain": True}
    ]
    assert main(["repair", str(closed), "--output", str(tmp_path / "again")]) == 1
    assert "NOT SAVED city id 1, slot 0" in capsys.readouterr().out


def test_where_no_catalog_is_left_another_directory_gives_it(
    closed: Path, killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("schema.json", "schema.copy.dat"):
        (closed / name).write_bytes(b"{}")
    command = ["repair", str(closed), "--output", str(tmp_path / "new")]
    assert main(command) == 1
    assert "`bazanite repair --schema DIR`" in capsys.readouterr().err
    assert main([*command, "--schema", str(killed)]) == 0
    assert "catalog: " + str(killed) in capsys.readouterr().out


def test_what_cannot_be_read_or_written_is_a_mistake_of_usage(
    closed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["repair", str(tmp_path / "missing"), "--output", str(tmp_path / "new")]) == 2
    assert main(["repair", str(closed)]) == 2
    assert main(["repair", str(closed), "--output", str(closed)]) == 2
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    assert main(["repair", str(closed), "--output", str(tmp_path / "full")]) == 2
    assert "needs an empty or a new directory" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
