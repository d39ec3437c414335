"""`bazanite backup data data/monday.dat` shut the database that it was to save.

A name that ends in `.dat` is a data file's in that directory.  Everybody who has it open tries to
open all of them, and a directory is none: the backup failed, and so did every later checkpoint, and
every opening, until somebody took the empty directory away.  `data/wal.log.new` was worse: the
backup was made, and the database could not be opened again.  So it is with every name that the log
and its archive may have, and with a repair into the directory that its schema is from.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bazanite import repair
from bazanite_wal.errors import DirectoryError, ValidationError
from bazanite_wal.restore import restore
from seam import Seam
from store_support import get, opened, put
from test_hot_backup import state_of
from tools_support import fill


@pytest.mark.parametrize("name", ["monday.dat", "monday.dat/deeper", "monday.dat/"])
def test_no_directory_comes_where_a_file_could_be(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"x")
    store.backup(str(tmp_path / "backup"))
    (tmp_path / "link").symlink_to("data")
    monkeypatch.chdir(tmp_path)
    for target in (f"{tmp_path}/data/{name}", f"data/{name}", f"link/{name}"):
        with pytest.raises(DirectoryError, match="is that of a table's file"):
            store.backup(target)
        with pytest.raises(DirectoryError, match="is that of a table's file"):
            restore("backup", target, "data")
    with pytest.raises(DirectoryError, match="is that of a table's file"):
        restore("backup", f"backup/{name}")
    store.checkpoint()
    store.close()
    assert get(opened(tmp_path / "data", Seam())) == b"x"
    assert state_of(tmp_path / "backup") == {"a.dat": b"x"}


@pytest.mark.parametrize(
    "name",
    ["wal.log.new", "wal.archive", "wal.archive.new", f"wal.{7:020d}.archive", "wal.log.new/x"],
)
def test_nor_where_a_file_of_the_log_could_be(tmp_path: Path, name: str) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"x")
    store.backup(str(tmp_path / "backup"))
    with pytest.raises(DirectoryError, match="is that of a file of its log"):
        store.backup(f"{tmp_path}/data/{name}")
    with pytest.raises(DirectoryError, match="is that of a file of its log"):
        restore(f"{tmp_path}/backup", f"{tmp_path}/data/{name}", f"{tmp_path}/data")
    with pytest.raises(DirectoryError, match="is that of a file of its log"):
        restore(f"{tmp_path}/backup", f"{tmp_path}/backup/{name}")
    store.close()
    for directory in ("data", "backup"):
        assert not (tmp_path / directory / name).exists()
        assert get(opened(tmp_path / directory, Seam())) == b"x"


@pytest.mark.parametrize("name", ["city.dat", "wal.log.new"])
def test_nor_where_a_repair_takes_its_schema_from(tmp_path: Path, name: str) -> None:
    for directory in ("data", "other"):
        fill(tmp_path / directory).close()
    for file in (tmp_path / "data").glob("schema.*"):
        file.unlink()
    with pytest.raises(ValidationError, match="never writes into"):
        repair(tmp_path / "data", tmp_path / "other" / name / "new", schema=tmp_path / "other")
    assert not (tmp_path / "other" / name).is_dir()


def test_other_names_within_it_are_fine(tmp_path: Path) -> None:
    store = opened(tmp_path / "data", Seam())
    put(store, b"x")
    os.mkdir(tmp_path / "data" / "backups")
    for target in ("backups/monday.dat", "tuesday"):
        store.backup(str(tmp_path / "data" / target))
        assert state_of(tmp_path / "data" / target) == {"a.dat": b"x"}
    store.checkpoint()
    store.close()
    assert get(opened(tmp_path / "data", Seam())) == b"x"
