"""``migrate``: steps on the command line, migrations in a file, and what was made before."""

from __future__ import annotations

from pathlib import Path

import pytest

import bazanite
from bazanite import DB, Migration
from cli_support import run, stored
from tools_support import run_json

EVERY_STEP = [
    "--add-column", "person.born:DATE null index",
    "--add-column", "person.kind:CHAR(5)=old",
    "--add-column", "city.code:INT null unique",
    "--rename-column", "person.note:remark",
    "--change-column", "person.age:CHAR(3) null",
    "--set-on-delete", "person.city:set_null",
    "--add-index", "person:name",
    "--add-unique", "person:name,kind",
    "--drop-index", "person:name",
    "--drop-unique", "person:name,kind",
    "--drop-column", "person.photo",
    "--rename-table", "city:town",
]  # fmt: skip


def test_steps_are_made_in_order_and_recorded(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "migrate", data)[:2] == (0, f"{data}: no migration was made\n")
    code, out, err = run(capsys, "migrate", data, *EVERY_STEP, "--name", "all of it")
    assert (code, err) == (0, "")
    assert out.startswith("made migration 1, 14 steps:\n")
    rows = stored(data, "person")
    assert (rows[1]["age"], rows[1]["kind"], rows[1]["born"]) == ("36", "old", None)
    assert ("photo" in rows[1], rows[1]["remark"]) == (False, 'likes "x"\nand more')
    code, document = run_json(capsys, "schema", data)
    columns = {c["name"]: c["type"] for c in document["tables"]["person"]["columns"]}
    assert columns["city"] == "FK(town,set_null) null"
    indexes = document["tables"]["person"]["indexes"]
    assert [i["columns"] for i in indexes] == [["city"], ["city", "age"], ["born"]]
    assert ["code"] in [i["columns"] for i in document["tables"]["town"]["indexes"]]
    assert run(capsys, "migrate", data)[1].splitlines()[2].split() == ["1", "all", "of", "it", "14"]
    code, document = run_json(capsys, "migrate", data, "--drop-table", "person")
    assert document["made"] == [{"version": 2, "name": "drop table person", "done": 1}]
    assert run_json(capsys, "migrate", data)[1]["migrations"][1]["version"] == 2
    assert run(capsys, "check", data)[0] == 0


def test_a_migration_is_printed_as_the_program_needs_it(
    populated: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [step for step in EVERY_STEP if "person.age" not in step and "change" not in step]
    _, out, _ = run(capsys, "migrate", data, *steps)
    text = out.partition("\n")[2]
    made = eval(text, vars(bazanite))
    assert isinstance(made, Migration)
    with DB.open(data, migrations=[made]) as db:  # as the program whose list has it
        assert len(db.find_all("person")) == 3
    script = tmp_path / "steps.py"
    script.write_text(f"from bazanite import *\nMIGRATIONS = [{text}]\n", "utf-8")
    other = tmp_path / "other"
    with DB.open(populated) as db:
        db.backup(other)
    code, out, _ = run(capsys, "migrate", other, script)
    assert (code, out) == (0, f"made migration 1 ({made.name})\n")
    assert (other / "schema.json").read_bytes() == (data / "schema.json").read_bytes()
    code, out, _ = run(capsys, "migrate", other, script)
    assert (code, out) == (0, f"{other}: has seen all 1 migration already\n")


def test_the_same_command_goes_on_where_a_step_was_refused(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = ["--add-column", "person.kind:CHAR(5)=x", "--add-unique", "person:kind"]
    code, out, err = run(capsys, "migrate", data, *steps)
    assert (code, out) == (1, "")
    assert "id" in err
    assert run_json(capsys, "migrate", data)[1]["migrations"][0]["done"] == 1
    for pk in (1, 2):
        assert run(capsys, "update", data, "person", pk, f"kind=k{pk}")[0] == 0
    code, out, _ = run(capsys, "migrate", data, *steps)
    assert (code, out.splitlines()[0]) == (0, "made migration 1, 2 steps:")
    (record,) = run_json(capsys, "migrate", data)[1]["migrations"]
    assert (record["version"], record["done"]) == (1, 2)
    assert run(capsys, "migrate", data, *steps)[0] == 1  # made already: it is another one now
    assert run(capsys, "update", data, "person", 3, "kind=k1")[0] == 1
    many = [f"--add-column=city.c{n}:INT null" for n in range(9)]
    made = run_json(capsys, "migrate", data, *many)[1]["made"][0]
    assert len(made["name"]) < 80


def test_migrations_of_a_module(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_migrations.py").write_text(
        "from bazanite import DropColumn, Migration\n"
        "LATER = (Migration(5, 'five', [DropColumn('person', 'photo')]),)\n"
        "WRONG = [1]\n",
        "utf-8",
    )
    monkeypatch.chdir(tmp_path)
    assert run(capsys, "migrate", data, "their_migrations:LATER")[0] == 0
    assert run_json(capsys, "migrate", data)[1]["migrations"] == [
        {"version": 5, "name": "five", "done": 1}
    ]
    for source, error in (
        ("their_migrations", "has no MIGRATIONS"),
        ("their_migrations:WRONG", "WRONG is no list of migrations"),
        ("no_such_module", "ModuleNotFoundError"),
        ("missing.py", "missing.py: no such file"),
    ):
        code, out, err = run(capsys, "migrate", data, source)
        assert (code, out, error in err, len(err.splitlines())) == (2, "", True, 1)
    (tmp_path / "broken.py").write_text("1 +\n", "utf-8")
    assert "SyntaxError" in run(capsys, "migrate", data, "broken.py")[2]


@pytest.mark.parametrize(
    "argv, error, status",
    [
        (["--add-column", "person.x:INT"], "3 rows would not fit, with id 1, 2, 3", 1),
        (["--add-column", "person.x:NOPE"], "'NOPE' is no type of a column", 2),
        (["--add-column", "person.x:INT=y"], "'x' is INT(9): 'y' is no such value", 2),
        (["--add-column", "person.x:INT nul"], "behind the type means nothing", 2),
        (["--add-column", "person:INT"], "write TABLE.COLUMN:TYPE[=VALUE]", 2),
        (["--add-column", "person.x"], "write TABLE.COLUMN:TYPE[=VALUE]", 2),
        (["--add-column", "person.x:FK(nope) null"], "nope", 1),
        (["--change-column", "person.name:INT"], "'name' is INT(9): 'Ada' is no such value", 1),
        (["--change-column", "person.name:CHAR(2)"], "The value is too long", 1),
        (["--change-column", "person.age:INT unique"], "only a type, and null", 2),
        (["--drop-column", "person.city"], "drop it first", 1),
        (["--drop-column", "person.nope"], "nope", 1),
        (["--drop-table", "city"], "city", 1),
        (["--add-unique", "person:paid"], "", 1),
        (["--add-index", "person:extra"], "JSON cannot be in an index", 1),
        (["--drop-index", "person:name"], "has no index (name)", 1),
        (["--rename-table", "city:a/b"], "cannot be a table's name", 1),
        (["--add-index", "person:name", "--name", "a\nb"], "its name must be a line of text", 2),
        (["x.py", "--add-index", "person:name"], "either SOURCE or steps, not both", 2),
    ],
    ids=str,
)
def test_what_cannot_be_made_is_one_line_and_changes_no_row(
    argv: list[str],
    error: str,
    status: int,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = stored(data, "person")
    code, out, err = run(capsys, "migrate", data, *argv)
    assert (code, out) == (status, "")
    assert error in err
    assert len(err.splitlines()) == 1
    assert stored(data, "person") == before
    assert run(capsys, "check", data)[0] == 0
