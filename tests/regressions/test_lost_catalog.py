"""A catalog that was emptied, or replaced by an older one, took the tables' checksums with it.

An empty ``schema.json`` is what a directory has before its first table, so the tables were adopted
again as if they were Bazoola's: without checksums, and the check was content.  An older catalog,
from before the checksums were made, did the same.  Damage that they would have told of was then
read as rows.  Now checksums that no catalog speaks of are an error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bazanite import CorruptionError
from bazanite.catalog import decode
from engine_support import TableA, TableF
from sums_support import opened, patch

TABLES = (TableA, TableF)


def _empty(path: Path, _old: dict[str, bytes]) -> None:
    (path / "schema.json").write_bytes(b"")


def _remove(path: Path, _old: dict[str, bytes]) -> None:
    (path / "schema.json").unlink()


def _without_checksums(path: Path, old: dict[str, bytes]) -> None:
    (path / "schema.json").write_bytes(old["no checksums"])


def _without_a_table(path: Path, old: dict[str, bytes]) -> None:
    (path / "schema.json").write_bytes(old["one table"])


LOSSES: dict[str, Callable[[Path, dict[str, bytes]], None]] = {
    "emptied": _empty,
    "removed": _remove,
    "from before the checksums": _without_checksums,
    "from before the second table": _without_a_table,
}


def _made(path: Path) -> dict[str, bytes]:
    """The directory, with rows of which one is damaged, and its catalogs on the way."""
    old: dict[str, bytes] = {}
    with opened(path, *TABLES, checksums=False) as db:
        db.insert("a", {"text": "n0"})
        db.insert("f", {"text": "some text"})
    old["no checksums"] = (path / "schema.json").read_bytes()
    with opened(path / "other", TableA) as db:
        db.insert("a", {"text": "x"})
    old["one table"] = (path / "other" / "schema.json").read_bytes()
    opened(path, *TABLES).close()
    patch(path / "f.text.dat", 12, b"?")
    return old


@pytest.mark.parametrize("checksums", [None, True])
@pytest.mark.parametrize("case", LOSSES)
def test_no_row_is_believed_without_its_checksums(
    tmp_path: Path, case: str, checksums: bool | None
) -> None:
    LOSSES[case](tmp_path, _made(tmp_path))
    sums = (tmp_path / "f.sums.dat").read_bytes()
    for _ in range(2):
        with pytest.raises(CorruptionError, match=r"schema\.json.*\.sums\.dat.*checksums=False"):
            opened(tmp_path, *TABLES, checksums=checksums)
        assert (tmp_path / "f.sums.dat").read_bytes() == sums


@pytest.mark.parametrize("case", LOSSES)
def test_the_way_out_takes_the_files_as_they_are(tmp_path: Path, case: str) -> None:
    LOSSES[case](tmp_path, _made(tmp_path))
    with opened(tmp_path, *TABLES, checksums=False) as db:
        assert db.find_all("f") == [{"id": 1, "text": "som? text"}]
        assert db.check().ok
    assert (tmp_path / "f.sums.dat").read_bytes() == b""
    with opened(tmp_path, *TABLES, checksums=True) as db:
        assert db.check().ok
    specs = decode((tmp_path / "schema.json").read_bytes()).tables
    assert [specs[name].checksums for name in "af"] == [True, True]


@pytest.mark.parametrize("case", ["from before the checksums", "from before the second table"])
def test_a_handle_that_is_open_refuses_too(tmp_path: Path, case: str) -> None:
    old = _made(tmp_path)
    with opened(tmp_path, *TABLES, checksums=None) as db:
        LOSSES[case](tmp_path, old)
        for _ in range(2):
            with pytest.raises(CorruptionError, match=r"schema\.json"):
                db.find_all("f")
        with pytest.raises(CorruptionError, match=r"schema\.json"):
            db.insert("f", {"text": "x"})


def test_check_names_checksums_that_no_catalog_speaks_of(tmp_path: Path) -> None:
    old = _made(tmp_path)
    with opened(tmp_path, *TABLES, checksums=None) as db:
        _without_checksums(tmp_path, old)
        found = {problem.file: problem.what for problem in db.check().problems}
    assert "none by the catalog" in found["a.sums.dat"]
    assert "none by the catalog" in found["f.sums.dat"]
