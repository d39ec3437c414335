"""``check``, ``info``, ``wal``, ``checkpoint``: what they find; looking changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, AddIndex, Field, Migration, Schema, Table
from bazanite_tools.cli import main
from bazanite_wal.header import FRAMES_START
from tools_support import READ_ONLY, City, Person, contents, patch, run_json


@pytest.mark.parametrize("command", READ_ONLY, ids=" ".join)
@pytest.mark.parametrize("state", ["closed", "killed"])
def test_looking_changes_no_byte_and_finds_nothing(
    command: list[str], state: str, request: pytest.FixtureRequest
) -> None:
    path = request.getfixturevalue(state)
    before = contents(path)
    assert main([*command, str(path)]) == 0
    assert contents(path) == before


@pytest.mark.parametrize("command", READ_ONLY, ids=" ".join)
def test_json_is_exactly_one_document(
    command: list[str], killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = run_json(capsys, *command, killed)
    assert code == 0
    assert document["directory"] == str(killed)


def test_check_counts_rows_and_free_slots(killed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, document = run_json(capsys, "check", killed)
    assert (code, document["ok"], document["problem_count"]) == (0, True, 0)
    counts = {"rows": 1, "free_slots": 1, "text_bytes": 18}
    assert document["tables"]["person"] == {**counts, "checksums": False}


def test_check_and_info_name_the_same_things_alike(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, checked = run_json(capsys, "check", killed)
    _, told = run_json(capsys, "info", killed)
    assert checked["log"] == told["log"]
    assert checked["log"]["verdict"] == "clean"
    assert checked["tables"].keys() == told["tables"].keys() == {"city", "person"}
    for name, table in checked["tables"].items():
        assert {**told["tables"][name], **table} == {**table, **told["tables"][name]}


def test_info_says_which_tables_keep_checksums(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"none": "none; ", "some": "kept for some tables and", "all": "kept for every table and"}
    classes = [Person, City]
    for kept, opening in (("none", []), ("some", [City]), ("all", classes), ("none", classes)):
        for table in opening:
            DB([table], closed, checksums=kept != "none").close()
        code, document = run_json(capsys, "info", closed)
        assert (code, document["checksums"]) == (0, kept)
        for name, table in document["tables"].items():
            file = closed / f"{name}.sums.dat"
            has = kept == "all" or (kept == "some" and name == "city")
            assert (table["checksums"], table["checksum_bytes"] > 0) == (has, has)
            assert not has or table["checksum_bytes"] == file.stat().st_size
        _, checked = run_json(capsys, "check", closed)
        for name, table in checked["tables"].items():
            assert table["checksums"] == document["tables"][name]["checksums"]
        assert main(["info", str(closed)]) == 0
        out = capsys.readouterr().out
        assert f"\nchecksums: {said[kept]}" in out
        cells = {line.split()[0]: line.split()[-1] for line in out.splitlines()[1:4]}
        assert cells["table"] == "checksums"
        assert (cells["city"] == "-", cells["person"] == "-") == (kept == "none", kept != "all")


def test_info_judges_no_checksums_by_a_catalog_that_cannot_be_read(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DB([Person, City], closed, checksums=True).close()
    patch(closed / "schema.json", 20, b"?")
    code, document = run_json(capsys, "info", closed)
    assert (code, document["checksums"], document["tables"]) == (0, None, {})
    assert "checksum" in document["catalog_problem"]
    assert main(["info", str(closed)]) == 0
    out = capsys.readouterr().out
    assert "the catalog cannot be read" in out
    assert "\nchecksums:" not in out


def test_a_log_that_is_to_be_recovered_is_called_valid_and_not_clean(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (killed / "city.dat").write_bytes(b"")
    assert main(["info", str(killed)]) == 0
    assert "log:       valid, 4 frames not yet applied to every file;" in capsys.readouterr().out
    assert main(["check", str(killed)]) == 0
    out = capsys.readouterr().out
    assert "not have all changes of the log yet" in out
    assert out.endswith("log valid, 4 frames not yet applied to every file\n")


def test_check_judges_what_recovery_would_give(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("person.dat", "person__id.idx.dat", "person.text.dat"):
        (killed / name).write_bytes(b"")  # as if a power cut took what was never synced
    code, document = run_json(capsys, "check", killed)
    assert (code, document["needs_recovery"]) == (0, True)
    assert document["tables"]["person"]["rows"] == 1
    assert main(["check", str(killed)]) == 0
    assert "as recovery would leave it" in capsys.readouterr().out


def test_check_names_damage_and_exits_1(closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patch(closed / "city.dat", 0, b"?")
    assert main(["check", str(closed)]) == 1
    out = capsys.readouterr().out
    assert "PROBLEM city.dat offset 0: field 'id' is not a number" in out
    assert "2 problems" in out.splitlines()[-1]


def test_check_names_a_missing_table_file(closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (closed / "city__free.dat").unlink()
    code, document = run_json(capsys, "check", closed)
    assert code == 1
    assert document["problems"] == [
        {
            "file": "city__free.dat",
            "offset": 0,
            "row": None,
            "what": "is missing; table 'city' needs it",
        }
    ]


def test_check_and_info_tell_of_checksums_in_few_words(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lost file of checksums made a problem of every block of every file."""
    assert main(["info", str(closed)]) == 0
    assert "checksums: none;" in capsys.readouterr().out
    with DB([City], closed, checksums=True):
        pass
    code, document = run_json(capsys, "info", closed)
    tables = document["tables"]
    assert (code, tables["city"]["checksums"], tables["person"]["checksums"]) == (0, True, False)
    assert main(["info", str(closed)]) == 0
    assert "checksums: kept for some tables" in capsys.readouterr().out
    sums = closed / "city.sums.dat"
    whole = sums.read_bytes()
    rows = (closed / "city.dat").read_bytes()
    patch(closed / "city.dat", 12, b"X")
    cases = {"missing": None, "empty": b"", "cut off": whole[:-1], "other": whole}
    for what, content in cases.items():
        sums.unlink() if content is None else sums.write_bytes(content)
        code, document = run_json(capsys, "check", closed)
        assert (code, document["ok"]) == (1, False)
        texts = [f"{p['file']}: {p['what']}" for p in document["problems"]]
        assert len(texts) <= 2, (what, texts)
    found = rf"city.dat: the {min(len(rows), 512)} bytes from here have checksum [0-9a-f]{{16}}, "
    assert re.fullmatch(found + "and city.sums.dat has [0-9a-f]{16}", texts[0])


def test_a_log_that_is_missing_is_a_finding(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (closed / "wal.log").unlink()
    assert main(["check", str(closed)]) == 1
    assert main(["wal", "verify", str(closed)]) == 1
    assert main(["info", str(closed)]) == 0
    assert "would be refused" in capsys.readouterr().out


def test_a_lost_catalog_is_a_finding(closed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (closed / "schema.json").unlink()
    assert main(["check", str(closed)]) == 1
    assert "schema.json offset 0: is missing" in capsys.readouterr().out


def test_wal_show_explains_each_operation(killed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wal", "show", str(killed)]) == 0
    out = capsys.readouterr().out
    assert "write     city.dat" in out
    assert r'"1        Oslo    \n"' in out
    assert "transaction of" in out
    assert "clean; 4 frames" in out


def test_wal_show_can_be_limited_to_the_last_frames(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, everything = run_json(capsys, "wal", "show", killed)
    _, last = run_json(capsys, "wal", "show", killed, "--last", 1)
    assert last["frames"] == everything["frames"][-1:]
    assert main(["wal", "show", str(killed), "--last", "1"]) == 0
    assert "... 3 frames before these" in capsys.readouterr().out


def test_damage_amid_the_log_is_corruption_and_exits_1(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patch(killed / "wal.log", FRAMES_START + 100, b"\xff")
    code, document = run_json(capsys, "wal", "verify", killed)
    assert (code, document["verdict"]) == (1, "corrupt")
    assert document["problems"][0]["offset"] == FRAMES_START
    assert main(["check", str(killed)]) == 1


def test_a_torn_tail_is_no_damage(killed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, log = run_json(capsys, "wal", "show", killed)
    last = FRAMES_START + log["frames"][-1]["lsn"] - log["base_lsn"]
    patch(killed / "wal.log", last + 120, b"\xff")
    assert main(["wal", "verify", str(killed)]) == 0
    out = capsys.readouterr().out
    assert "torn; 3 frames" in out
    assert "never acknowledged" in out


def test_checkpoint_recovers_and_empties_the_log(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, document = run_json(capsys, "checkpoint", killed)
    assert (code, document["recovered_frames"]) == (0, 4)
    _, log = run_json(capsys, "wal", "verify", killed)
    assert log["frame_count"] == 0
    with DB([City, Person], killed) as db:
        assert db.find_by_id("person", 1) == {
            "id": 1,
            "city_id": 1,
            "note": "likes \u201cquotes\u201d",
        }


def test_checkpoint_keeps_the_size_of_the_log(tmp_path: Path) -> None:
    DB([City], tmp_path, log_size_bytes=16384).close()
    size = (tmp_path / "wal.log").stat().st_size
    assert main(["checkpoint", str(tmp_path)]) == 0
    assert (tmp_path / "wal.log").stat().st_size == size


def test_checkpoint_of_a_directory_without_its_log_names_the_option_that_helps(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (closed / "wal.log").unlink()
    assert main(["checkpoint", str(closed)]) == 2
    assert "--accept-unsafe" in capsys.readouterr().err
    assert main(["checkpoint", str(closed), "--accept-unsafe"]) == 0


def test_info_tells_of_indexes_and_migrations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Words(Table):
        name = "words"
        schema = Schema([Field("id", PK()), Field("word", CHAR(8, unique=True))])

    with DB([Words], tmp_path) as db:
        db.insert("words", {"word": "one"})
        db.migrate([Migration(3, "by id", [AddIndex("words", ["word", "id"])])])
    assert main(["info", "--json", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["migrations"] == [{"version": 3, "name": "by id", "done": 1}]
    assert document["tables"]["words"]["indexes"] == [
        {"columns": ["word"], "unique": True, "slots_built": None, "size_bytes": 8192},
        {"columns": ["word", "id"], "unique": False, "slots_built": None, "size_bytes": 8192},
    ]
    assert main(["info", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "\nunique:    words (word), 8.0 KiB\nindex:     words (word, id), 8.0 KiB\n" in out
    assert "\nmigrated:  to version 3 (by id), of which 1 step made\n" in out
