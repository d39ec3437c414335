"""The catalog stands in two files, and each is seen through when it differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import CHAR, DB, INT, AddColumn, Field, Migration
from bazanite.catalog_copy import COPY_NAME, copy_of, decode_copy, encode_copy
from engine_support import TableA, opened, table_class


def catalogs(path: Path) -> tuple[bytes, bytes | None]:
    return (path / "schema.json").read_bytes(), decode_copy((path / COPY_NAME).read_bytes())


def test_the_copy_has_the_catalog_from_the_beginning_and_behind_a_migration(tmp_path: Path) -> None:
    opened(tmp_path, TableA).close()
    catalog, copy = catalogs(tmp_path)
    assert catalog == copy
    steps = [AddColumn("a", Field("n", INT(null=True)))]
    changed = table_class("a", Field("text", CHAR(5)), Field("n", INT(null=True)))
    DB([changed], str(tmp_path), migrations=[Migration(1, "n", steps)]).close()
    changed_catalog, copy = catalogs(tmp_path)
    assert changed_catalog == copy != catalog


def test_an_older_directory_is_sound_without_a_copy_and_gets_one_with_a_change(
    tmp_path: Path,
) -> None:
    opened(tmp_path, TableA).close()
    (tmp_path / COPY_NAME).unlink()
    with opened(tmp_path, TableA) as db:
        assert db.check().ok
        assert not (tmp_path / COPY_NAME).exists()
        db.vacuum("a")
        assert db.check().ok
    steps = [AddColumn("a", Field("n", INT(null=True)))]
    changed = table_class("a", Field("text", CHAR(5)), Field("n", INT(null=True)))
    DB([changed], str(tmp_path), migrations=[Migration(1, "n", steps)]).close()
    catalog, copy = catalogs(tmp_path)
    assert catalog == copy


@pytest.mark.parametrize("name", ["schema.json", COPY_NAME])
def test_one_changed_letter_in_either_is_damage(tmp_path: Path, name: str) -> None:
    opened(tmp_path, TableA).close()
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data.replace(b'"text"', b'"texu"'))
    with DB.open(str(tmp_path)) as db:
        assert [problem.file for problem in db.check().problems] == [name]


def test_each_byte_of_a_copy_counts() -> None:
    copy = encode_copy(b"some catalog")
    assert decode_copy(copy) == b"some catalog"
    assert copy_of(copy, b"some catalog")
    assert not copy_of(copy, b"some cata1og")
    for place in range(len(copy)):
        assert decode_copy(copy[:place] + bytes((copy[place] ^ 1,)) + copy[place + 1 :]) is None
        assert decode_copy(copy[:place]) is None
    assert decode_copy(copy + b"\n") is None
