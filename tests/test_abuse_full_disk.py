"""Each command on a disk that has no room: what it says is what it did, and later it works again.

Found by it: `insert` said that nothing was done when the row was in the log and only the table's
file had no room, so that whoever repeated it had the row twice; and `import` into a new table, in
the same state, went on to take the table away again.
"""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite import DB, INT, PK, TEXT, DirectoryError, Field, Schema, Table
from bazanite_tools.cli import main
from bazanite_wal.posix import PosixFile


class Rows(Table):
    name = "t"
    schema = Schema([Field("id", PK()), Field("n", INT()), Field("x", TEXT(null=True))])


class Disk:
    """Lets files whose name fits grow no more, while it is full; quota or room, as it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full: Callable[[str], bool] = lambda _: False
        self.number = errno.ENOSPC
        write = PosixFile.write_at

        def limited(file: PosixFile, data: bytes | memoryview, offset: int) -> int:
            if offset + len(data) > file.size() and self.full(os.path.basename(file.path)):
                raise OSError(self.number, os.strerror(self.number))
            return write(file, data, offset)

        monkeypatch.setattr(PosixFile, "write_at", limited)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with DB([Rows], tmp_path / "data") as db:
        db.insert_many("t", [{"n": n, "x": f"text {n}"} for n in range(50)])
    rows = [{"n": n, "x": "more" * 50} for n in range(100)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "new.csv").write_text("id,name\n" + "".join(f"{n},x\n" for n in range(1, 99)))
    assert main(["dump", str(tmp_path / "data"), str(tmp_path / "dump")]) == 0
    return tmp_path / "data"


def content(path: Path) -> dict[str, list[dict[str, object]]]:
    with DB.open(path) as db:
        assert db.check().ok
        return {name: [dict(row) for row in db.find_all(name)] for name in db.tables}


CHANGES = [
    ["insert", "{}", "t", "n=1", "x=abc"],
    ["upsert", "{}", "t", "--on", "n", "n=777", "x=abc"],
    ["update", "{}", "t", "--where", "id>0", "x=" + "long" * 100],
    ["import", "{}", "{}/../rows.jsonl", "--from", "jsonl", "--append", "--table", "t"],
    ["import", "{}", "{}/../new.csv", "--from", "csv"],
    ["migrate", "{}", "--add-column", "t.more:CHAR(200)=x"],
]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("command", CHANGES, ids=[" ".join(c[:1] + c[2:4]) for c in CHANGES])
def test_a_change_that_no_table_file_has_room_for_says_that_it_is_stored(
    data: Path,
    disk: Disk,
    command: list[str],
    number: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = content(data)
    words = [word.format(data) for word in command]
    disk.number = number
    disk.full = lambda name: name.endswith(".dat") and not name.startswith("schema")
    code = main(words)
    told = capsys.readouterr().err
    disk.full = lambda _: False
    after = content(data)
    if command[2].endswith(".csv"):  # not even the new table could be made, so no row was stored
        assert code == 2
        assert after.pop("new", []) == []
        assert after == before
        return
    assert code == 74
    assert "durable" in told
    assert "nothing was done" not in told.splitlines()[-1]
    assert after != before
    assert all(row["id"] in {r["id"] for r in after["t"]} for row in before["t"])


def test_rows_in_a_new_table_that_are_in_the_log_are_not_taken_away_again(
    data: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[str] = []

    def full(name: str) -> bool:
        """From the first row on."""
        if name == "new.dat":
            made.append(name)
        return bool(made)

    disk.full = full
    assert main(["import", str(data), str(data.parent / "new.csv"), "--from", "csv"]) == 74
    disk.full = lambda _: False
    assert "durable" in capsys.readouterr().err
    assert len(content(data)["new"]) == 98


@pytest.mark.parametrize("command", CHANGES, ids=[" ".join(c[:1] + c[2:4]) for c in CHANGES])
def test_a_change_that_the_log_has_no_room_for_is_refused_and_can_be_repeated(
    data: Path, disk: Disk, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(data)
    words = [word.format(data) for word in command]
    (data / "wal.log").unlink()  # a log is made, and there is no room for it
    disk.full = lambda name: name.startswith("wal.log")
    assert main(["checkpoint", str(data), "--accept-unsafe"]) == 2
    assert main(words) == 2
    disk.full = lambda _: False
    assert main(["checkpoint", str(data), "--accept-unsafe"]) == 0
    assert content(data) == before
    assert main(words) == 0
    assert content(data) != before


def test_a_log_that_cannot_be_emptied_at_the_end_is_a_warning(
    data: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["wal", "archive", str(data), "--keep", "1MiB"]) == 0
    capsys.readouterr()
    stored: list[str] = []

    def full(name: str) -> bool:
        """Behind the insert: who opens needs the archive, too."""
        if name == "t.dat":
            stored.append(name)
        return bool(stored) and name.endswith(".archive")

    disk.full = full
    assert main(["insert", str(data), "t", "n=1", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["count"] == 1
    assert "the log cannot be archived, and keeps what it has" in err
    disk.full = lambda _: False
    assert len(content(data)["t"]) == 51


def test_making_a_directory_leaves_nothing_behind(data: Path, disk: Disk) -> None:
    target = data.parent / "made"
    disk.full = lambda name: name.endswith(".dat")
    for words in (
        ["load", str(target), str(data.parent / "dump")],
        ["import", str(target), str(data.parent / "new.csv"), "--from", "csv"],
    ):
        before = sorted(os.listdir(data.parent))
        assert main(words) in (1, 2, 74), words
        assert sorted(os.listdir(data.parent)) == before
    assert main(["backup", str(data), str(target)]) in (1, 2)
    assert not target.exists() or os.listdir(target) == []
    disk.full = lambda _: False
    assert main(["load", str(target), str(data.parent / "dump")]) == 0
    assert content(target) == content(data)


def test_a_command_without_memory_says_so(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(data)

    def none(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("bazanite.table.Table.insert", none)
    monkeypatch.setattr("bazanite.db.DB.insert", none)
    assert main(["insert", str(data), "t", "n=1", "--json"]) == 2
    out, err = capsys.readouterr()
    assert "not enough memory" in json.loads(out)["error"]
    assert "Traceback" not in err
    monkeypatch.undo()
    assert content(data) == before


def test_the_error_that_a_block_ends_in_is_not_hidden_by_that_of_closing(
    data: Path, disk: Disk
) -> None:
    with pytest.raises(RuntimeError, match="mine") as caught, DB([Rows], data) as db:
        db.archive(1 << 20)
        db.insert("t", {"n": 1})
        disk.full = lambda name: name.endswith(".archive")
        raise RuntimeError("mine")
    assert any("closing failed" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("to", ["csv", "jsonl", "postgres"])
def test_an_export_that_has_no_room_is_one_line_and_leaves_nothing(
    data: Path, to: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.TextIOWrapper):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(path: str, *_: object, **__: object) -> io.TextIOWrapper:
        return Full(io.FileIO(path, "x"))

    before = sorted(os.listdir(data.parent))
    monkeypatch.setattr("bazanite_tools.exchange.outputs.open", opened, raising=False)
    assert main(["export", str(data), str(data.parent / "out"), "--to", to]) == 2
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    assert sorted(os.listdir(data.parent)) == before


@pytest.mark.parametrize(
    "words", [["rows", "{}", "t"], ["dump", "{}"], ["rows", "{}", "t", "--json"]]
)
def test_a_standard_output_on_a_full_disk_is_one_line(data: Path, words: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "bazanite_tools", *(word.format(data) for word in words)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "bazanite: [Errno 28] No space left on device\n"


def test_a_sort_without_room_for_its_temporary_file_is_a_typed_error(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bazanite.query.order._RUN_ROWS", 10)
    monkeypatch.setattr("bazanite.query.order.TemporaryFile.append", no_room)
    with DB.open(data) as db:
        with pytest.raises(DirectoryError, match="TMPDIR"):
            list(db.iterate("t", order_by="x"))
        monkeypatch.undo()
        assert len(list(db.iterate("t", order_by="x"))) == 50
