"""A directory was renamed while it was open, and one database wrote into another.

All files were opened by path.  After a swap of two directories under a running process the files
that it opened later, new tables above all, were those of the database that stood there now.  Now
everything is opened, renamed and removed within the open directory, wherever it is; and a forked
child, which has to open it by path again, refuses another one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from bazanite import DB, INT, PK, DirectoryError, Field, Schema, Table
from bazanite_wal.posix import PosixDirectory
from store_support import FORK, get, in_child, opened, put


class Owners(Table):
    name = "owners"
    schema = Schema([Field("id", PK()), Field("age", INT())])


class Accounts(Table):
    name = "accounts"
    schema = Schema([Field("id", PK()), Field("balance", INT())])


def test_a_renamed_directory_stays_the_one_that_was_opened(tmp_path: Path) -> None:
    blue, green, old = tmp_path / "blue", tmp_path / "green", tmp_path / "old"
    with DB([Owners], green) as db:
        db.insert_many("owners", [{"age": 30}, {"age": 40}])
    first = DB([Accounts], blue)
    first.insert("accounts", {"balance": 1})
    blue.rename(old)
    green.rename(blue)
    with DB([Accounts, Owners], old) as moved, DB([Owners], blue) as other:
        assert moved.insert("owners", {"age": 99})["id"] == 1
        assert [row["age"] for row in other.find_all("owners")] == [30, 40]
    first.close()
    for path, ages in ((blue, [30, 40]), (old, [99])):
        with DB([Owners], path) as db:
            assert [row["age"] for row in db.find_all("owners")] == ages
            assert db.check().ok


def test_every_call_of_a_moved_directory_reaches_it(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    directory = PosixDirectory(str(here))
    here.rename(there)
    here.mkdir()
    (here / "decoy").touch()
    directory.create("a").close()
    directory.rename("a", "b")
    directory.create_successor("c", "b").close()
    directory.open_lock("d").close()
    directory.open_words("e", 8, create=True).close()
    for _ in range(2):  # the first listing has not moved the second one's cursor
        assert directory.list() == sorted(os.listdir(there)) == ["b", "c", "d", "e"]
    assert directory.exists("b")
    assert not directory.exists("decoy")
    directory.open("b").close()
    directory.remove("b")
    assert not (there / "b").exists()
    directory.sync()
    assert os.listdir(here) == ["decoy"]
    directory.close()


def test_a_removed_directory_is_not_taken_for_the_one_in_its_place(tmp_path: Path) -> None:
    here = tmp_path / "here"
    store = opened(here)
    put(store, b"row")
    shutil.rmtree(here)
    here.mkdir()
    with pytest.raises(DirectoryError, match=r"new\.dat"):
        put(store, b"lost", "new.dat")
    with pytest.raises(DirectoryError, match="was removed or replaced"):
        store.abandon()  # the log keeps what the files that are gone had
    assert os.listdir(here) == []


@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("instead", ["nothing", "an empty directory", "another database"])
def test_a_child_whose_directory_was_moved_touches_no_other(tmp_path: Path, instead: str) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    store = opened(here)
    put(store, b"row")

    def child() -> None:
        here.rename(there)
        if instead == "an empty directory":
            here.mkdir()
        elif instead == "another database":
            shutil.copytree(there, here)
        before = sorted((p.name, p.stat().st_mtime_ns) for p in here.glob("*"))
        for _ in range(2):
            with pytest.raises(DirectoryError, match="was moved"):
                put(store, b"intruder")
        assert sorted((p.name, p.stat().st_mtime_ns) for p in here.glob("*")) == before
        assert here.exists() == (instead != "nothing")
        fresh = opened(there)
        put(fresh, b"new")
        fresh.close()

    assert in_child(child) == 0
    assert get(store) == b"new"
    store.close()
    assert (there / "a.dat").read_bytes() == b"new"
