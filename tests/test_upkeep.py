"""The campaign of upkeep: a short one survives, and a judge that is told wrong things says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bazanite import DB
from bazanite_stress.upkeep.campaign import Settings, keep_up
from bazanite_stress.upkeep.deeds import Deeds, State
from bazanite_stress.upkeep.spoken import Spoken
from bazanite_stress.upkeep.tables import (
    DPKG_STATUS,
    TABLES,
    fill,
    stanzas_of,
    stored_text,
    text_of,
)
from bazanite_tools.cli import main

TEXT = "".join(
    f"Package: p{n}\nArchitecture: all\nVersion: 1.{n}\nSection: s{n % 3}\n"
    f"Maintainer: m{n % 4} <m@example.org>\nInstalled-Size: {n}\n"
    f"Depends: p{n // 2} (>= 1.0) | other, p{n // 3}\nDescription: short\n long {n}\n .\n\n"
    for n in range(40)
)


def test_a_list_of_packages_comes_out_as_it_went_in(tmp_path: Path) -> None:
    texts = [TEXT]
    if DPKG_STATUS.exists():
        texts.append(DPKG_STATUS.read_text(encoding="utf-8"))
    for number, text in enumerate(texts):
        assert text_of(stanzas_of(text)) == text
        with DB(TABLES, tmp_path / str(number)) as db:
            assert fill(db, text, 2) == text.count("\nPackage: ") + 1
            assert stored_text(db) == text
            assert db.check().ok


def test_a_short_campaign_survives(tmp_path: Path) -> None:
    outcome = keep_up(Settings(TEXT, tmp_path, "test", writers=3, kills=6, rounds=2))
    assert outcome.findings == []
    assert outcome.verdict == "survived"
    assert outcome.migrations == outcome.backups == outcome.rounds >= 2
    assert outcome.commits > 0


def told(tmp_path: Path, calls: int) -> tuple[Spoken, Path, list[int]]:
    """A directory in which one writer made so many calls and spoke of each."""
    deeds, journal, data = Deeds("seed", 1, 40), tmp_path / "journal", tmp_path / "data"
    with DB(TABLES, data) as db:
        fill(db, TEXT, 1)
        lsns = [deeds.do(db, number) for number in range(1, calls + 1)]
    journal.write_text("".join(f"{n} {lsn}\n" for n, lsn in enumerate(lsns, 1)))
    return Spoken([journal], [deeds], TEXT), data, lsns


def test_the_judge_sees_what_is_missing_what_came_later_and_what_is_wrong(tmp_path: Path) -> None:
    spoken, data, lsns = told(tmp_path, 20)
    with DB.open(data) as db:
        assert spoken.complaints(db) == []
        assert spoken.complaints(db, lsns[-1]) == []
        assert spoken.complaints(db, lsns[-2]) == ["writer 1: call 20 came later, and 20 are there"]
        db.update_by_id("progress", 1, {"calls": 19})
        assert any("was acknowledged" in what for what in spoken.complaints(db))
        db.update_by_id("progress", 1, {"calls": 20})
        db.update_by_id("accounts", 1, {"balance": 1})
        assert any("accounts" in what for what in spoken.complaints(db))
        db.delete_by_id("packages", 40)
        assert "the list of packages is another one" in spoken.complaints(db)


def test_a_writers_state_follows_from_how_many_calls_it_made(tmp_path: Path) -> None:
    _, data, _ = told(tmp_path, 30)
    state = State()
    while state.calls < 30:
        Deeds("seed", 1, 40).follow(state)
    with DB.open(data) as db:
        rows = {row["n"]: (row["package"], row["body"]) for row in db.find_all("notes")}
    assert rows == state.notes
    assert state.moved.total() == 0
    assert len(rows) == 15  # 20 were stored and 5 of them deleted


def test_the_command_prints_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = tmp_path / "status"
    status.write_text(TEXT)
    line = ["upkeep", "--status", str(status), "--kills", "2", "--rounds", "1", "--writers", "2"]
    assert main([*line, "--dir", str(tmp_path), "--seed", "7", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["seed"], document["kept"]) == ("survived", "7", None)
    assert [path.name for path in tmp_path.iterdir()] == ["status"]


def test_what_is_no_list_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "status").write_text("no list")
    assert main(["upkeep", "--status", str(tmp_path / "status")]) == 2
    assert main(["upkeep", "--status", str(tmp_path / "missing")]) == 2
    assert "is no list of packages" in capsys.readouterr().err
    shutil.rmtree(tmp_path)
