"""Damage and hostile names that once ended in a raw error instead of a typed one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bazanite import CHAR, DB, PK, CorruptionError, Field, Schema, Table, ValidationError
from bazanite_tools.cli import main


class Notes(Table):
    name = "notes"
    schema = Schema([Field("id", PK()), Field("text", CHAR(10))])


def test_a_catalog_with_an_unprintable_name_is_damaged_and_check_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DB([Notes], tmp_path, log_size_bytes=8192):
        pass
    catalog = json.loads((tmp_path / "schema.json").read_text())
    catalog["tables"]["notes"]["fields"][1]["name"] = "\ud800"
    (tmp_path / "schema.json").write_text(json.dumps(catalog))
    with pytest.raises(CorruptionError, match="printable"):
        DB([Notes], tmp_path)
    assert main(["check", str(tmp_path)]) == 1
    assert "printable" in capsys.readouterr().out


def test_a_field_name_that_no_terminal_can_show_is_refused_before_it_is_stored(
    tmp_path: Path,
) -> None:
    class Odd(Table):
        name = "odd"
        schema = Schema([Field("id", PK()), Field("\ud800", CHAR(3))])

    with pytest.raises(ValidationError, match="printable"):
        DB([Odd], tmp_path)


def test_a_log_larger_than_any_memory_is_a_typed_error(tmp_path: Path) -> None:
    with DB([Notes], tmp_path, log_size_bytes=8192):
        pass
    os.truncate(tmp_path / "wal.log", 1 << 43)  # sparse: it takes no space
    with pytest.raises(CorruptionError, match="fits in memory"):
        DB([Notes], tmp_path)
    assert main(["check", str(tmp_path)]) == 1
