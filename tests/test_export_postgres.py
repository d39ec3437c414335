"""``export --to postgres``: a real PostgreSQL loads it, and has the same rows."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from bazanite import BLOB, CHAR, DB, FK, INT, JSON, PK, TEXT, Field, Schema, Table
from bazanite.fields import FieldType
from bazanite_tools.cli import main
from exchange_support import Made, catalog, databases, rows_of
from postgres_support import Postgres, running


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    directory = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    try:
        with running(directory) as server:
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def read(kind: FieldType, value: Any) -> Any:
    """A value of PostgreSQL's JSON, as the row has it; documents as numbers that are equal."""
    if value is None:
        return None
    name = type(kind).__name__
    if name == "JSON":
        return exact(value)
    if name == "BLOB":
        return bytes.fromhex(value.removeprefix("\\x"))
    if name == "DATE":
        return date.fromisoformat(value)
    if name == "DATETIME":
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if kind.params["utc"] else moment
    return value


def exact(document: Any) -> Any:
    """A document in which numbers are equal if they are written alike: jsonb keeps decimals."""
    return json.loads(json.dumps(document, default=str), parse_int=Decimal, parse_float=Decimal)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def stored(server: Postgres, database: str, name: str, schema: Schema) -> list[dict[str, Any]]:
    """The table's rows in PostgreSQL, by their ids."""
    columns = ", ".join(
        f"'{field.name.replace(chr(39), chr(39) * 2)}', "
        + (f"{quoted(field.name)}::text" if type(field.type).__name__ == "JSON" else
           quoted(field.name))
        for field in schema.schema
    )  # fmt: skip
    out = server.ask(
        database,
        f"SET timezone = 'UTC'; SELECT json_build_object({columns}) FROM {quoted(name)}"
        " ORDER BY id",
    )
    found = []
    for line in out.removesuffix("\n").split("\n") if out else []:
        row = json.loads(line, parse_float=Decimal)
        for field in schema.schema:
            value = row[field.name]
            if type(field.type).__name__ == "JSON" and value is not None:
                value = json.loads(value, parse_int=Decimal, parse_float=Decimal)
                row[field.name] = value
            else:
                row[field.name] = read(field.type, value)
        found.append(row)
    return found


def has_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any(has_nul(part) for pair in value.items() for part in pair)
    if isinstance(value, list):
        return any(map(has_nul, value))
    return isinstance(value, str) and "\0" in value


@settings(max_examples=15)
@given(made=databases())
def test_postgresql_has_the_same_rows(postgres: Postgres, made: Made) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary)
        made.fill(path / "data")
        rows = rows_of(path / "data")
        out = path / "out.sql"
        code = main(["export", f"{path}/data", f"{out}", "--to", "postgres"])
        if any(has_nul(dict(row)) for table in rows.values() for row in table):
            assert code == 1
            assert not out.exists()
            return
        assert code == 0
        database = postgres.load(out)
        for cls in made.classes:
            expected = [
                {
                    f.name: exact(row[f.name])
                    if type(f.type).__name__ == "JSON" and row[f.name] is not None
                    else row[f.name]
                    for f in cls.schema.schema
                }
                for row in rows[cls.name]
            ]
            assert stored(postgres, database, cls.name, cls.schema) == expected
        check_schema(postgres, database, path / "data")
        postgres.drop(database)


def check_schema(server: Postgres, database: str, path: Path) -> None:
    """Each table has its keys, and the next id is behind all others."""
    for name, spec in catalog(path).tables.items():
        table = quoted(name).replace("'", "''")
        kinds = server.ask(
            database,
            f"SELECT indisunique FROM pg_index WHERE indrelid = '{table}'::regclass"
            " AND NOT indisprimary ORDER BY indisunique",
        )
        assert kinds.split() == sorted("t" if index.unique else "f" for index in spec.indexes)
        nulls = server.ask(
            database,
            "SELECT string_agg(attnotnull::text, ',' ORDER BY attnum) FROM pg_attribute"
            f" WHERE attrelid = '{table}'::regclass AND attnum > 0",
        )
        assert nulls.strip().split(",") == [str(not field.null).lower() for field in spec.fields]
        largest = server.ask(database, f"SELECT coalesce(max(id), 0) FROM {quoted(name)}")
        following = server.ask(database, f"SELECT nextval(pg_get_serial_sequence('{table}', 'id'))")
        assert int(following) > int(largest)


class Team(Table):
    name = "team"
    schema = Schema([Field("id", PK()), Field("name", CHAR(20, unique=True))])


class Player(Table):
    name = "player"
    schema = Schema(
        [
            Field("id", PK()),
            Field("team", FK("team", on_delete="cascade", index=True)),
            Field("captain", FK("player", null=True, on_delete="set_null")),
            Field("coach", FK("team", null=True, on_delete="restrict")),
            Field("old", FK("team", null=True, on_delete="keep")),
            Field("gone", FK("team", null=True, on_delete="keep")),
            Field("note", TEXT(null=True, unique=True)),
            Field("big", INT(30, null=True)),
            Field("data", BLOB(null=True)),
            Field("more", JSON(null=True)),
        ]
    )


def league(path: Path) -> None:
    with DB([Team, Player], path) as db:
        for name in ("Reds", "Blues", "Greens", "Gone"):
            db.insert("team", {"name": name})
        db.insert("player", {"team": 1, "note": "long " * 2000})
        db.update_by_id("player", 1, {"captain": 1})
        db.insert("player", {"team": 1, "captain": 1, "coach": 2, "old": 3, "gone": 4})
        db.insert("player", {"id": 40, "team": 2, "note": "a\tb\\n\n\\.\r", "big": 10**29})
        db.insert("player", {"id": 41, "team": 3, "data": b"\0\\", "more": {"a": [None, "\\"]}})
        db.delete_by_id("team", 4)


def test_deletes_do_in_postgresql_what_they_do_here(postgres: Postgres, tmp_path: Path) -> None:
    league(tmp_path / "data")
    out = tmp_path / "out.sql"
    assert main(["export", f"{tmp_path}/data", f"{out}", "--to", "postgres"]) == 0
    sql = out.read_text("utf-8")
    assert (
        "-- not declared: table 'player', column 'gone': 1 row refers to what 'team' does not have,"
        " with id 2\n" in sql
    )
    database = postgres.load(out)
    actions = postgres.ask(
        database,
        "SELECT a.attname, c.confdeltype FROM pg_constraint c JOIN pg_attribute a"
        " ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] WHERE contype = 'f' ORDER BY 1",
    )
    assert actions.split() == ["captain|n", "coach|r", "old|a", "team|c"]
    ids = "INSERT INTO player (team) VALUES (1) RETURNING id"
    assert postgres.ask(database, ids) == "42\n"  # behind those that were given
    assert postgres.ask(database, "INSERT INTO team (name) VALUES ('x') RETURNING id") == "5\n"
    with pytest.raises(AssertionError, match="unique constraint"):
        postgres.ask(database, "INSERT INTO team (name) VALUES ('Reds')")
    with pytest.raises(AssertionError, match="unique constraint"):
        postgres.ask(database, "INSERT INTO player (team, note) SELECT 1, note FROM player")
    with pytest.raises(AssertionError, match="foreign key constraint"):
        postgres.ask(database, "DELETE FROM team WHERE id = 2")
    assert postgres.ask(database, "SELECT big FROM player WHERE id = 40") == f"{10**29}\n"
    postgres.ask(database, "DELETE FROM player WHERE id = 1")
    assert postgres.ask(database, "SELECT captain IS NULL FROM player WHERE id = 2") == "t\n"
    postgres.ask(database, "DELETE FROM team WHERE id = 1")
    assert postgres.ask(database, "SELECT id FROM player ORDER BY id") == "40\n41\n"


def test_a_dump_that_fails_half_way_leaves_nothing_in_postgresql(
    postgres: Postgres, tmp_path: Path
) -> None:
    league(tmp_path / "data")
    out = tmp_path / "out.sql"
    assert main(["export", f"{tmp_path}/data", f"{out}", "--to", "postgres"]) == 0
    out.write_text(out.read_text("utf-8").replace("\nCOMMIT", "\nSELECT 1/0;\nCOMMIT"), "utf-8")
    with pytest.raises(AssertionError, match="division by zero"):
        postgres.load(out)
    database = f"d{postgres.count}"
    assert postgres.ask(database, "SELECT count(*) FROM pg_tables WHERE tablename='team'") == "0\n"


@pytest.mark.parametrize("value", [{"note": "a\0b"}, {"more": ["x", {"\0": 1}]}])
def test_a_nul_character_is_told_with_its_row_and_nothing_is_written(
    value: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    league(tmp_path / "data")
    with DB([Team, Player], tmp_path / "data") as db:
        db.update_by_id("player", 41, value)
    assert main(["export", f"{tmp_path}/data", f"{tmp_path}/out", "--to", "postgres"]) == 1
    assert "table 'player', row with id 41: " in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "name, said", [("x" * 64, "more than 63 bytes"), ("ctid", "a column 'ctid' of its own")]
)
def test_names_that_postgresql_cannot_have_are_told(
    name: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = type("T", (Table,), {"name": "t", "schema": Schema([Field("id", PK()),
                                                               Field(name, INT())])})  # fmt: skip
    DB([made], tmp_path / "data").close()
    assert main(["export", f"{tmp_path}/data", f"{tmp_path}/out", "--to", "postgres"]) == 1
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
