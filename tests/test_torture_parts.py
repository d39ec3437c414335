"""The parts of the torture harness: journal, history, operations, model, loading, killing."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from bazanite_stress.torture import load
from bazanite_stress.torture.actions import perform
from bazanite_stress.torture.adapters import open_store
from bazanite_stress.torture.effects import slot_of
from bazanite_stress.torture.history import read_history
from bazanite_stress.torture.journal import Journal
from bazanite_stress.torture.judge import Snapshot, judge
from bazanite_stress.torture.killer import (
    LOCK_TABLE,
    LONGEST_SECONDS,
    MODES,
    lock_holder,
    plan_strike,
    short_time,
)
from bazanite_stress.torture.model import Model
from bazanite_stress.torture.operations import EFFECTS, Intent, Planner, operation_of, text_of
from bazanite_stress.torture.schema import FIXED_TABLES, Row, Table, first_rows
from bazanite_stress.torture.settings import Settings

# ---------------------------------------------------------------------------------- journal


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", create=True)
    journal.opened()
    journal.intent({"token": "0.1.1", "kind": "audit", "alone": True})
    assert (journal.intents, journal.answers) == (1, 0)
    journal.acknowledged("0.1.1", [], 77)
    assert (journal.intents, journal.answers) == (1, 1)
    reader = Journal(tmp_path / "journal")
    assert [letter for letter, _ in reader.records()] == ["O", "I", "A"]
    reader.close()
    journal.close()


def test_a_record_cut_by_a_kill_was_never_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", create=True)
    journal.opened()
    before = journal.written
    journal.intent({"token": "0.1.1", "kind": "audit", "alone": True})
    # The bytes are there, the word that covers them is not: killed between the two.
    journal._words[0] = before
    assert [letter for letter, _ in journal.records()] == ["O"]
    journal.close()


def test_what_a_killed_process_wrote_down_is_there(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", create=True)
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from bazanite_stress.torture.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "journal.intent({'token': '0.1.1', 'kind': 'audit', 'alone': True})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(journal.path)], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    history = read_history(journal.records())
    assert history.in_flight is not None
    assert history.in_flight.token == "0.1.1"
    journal.close()


def test_a_writer_stops_before_its_journal_overflows(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal", create=True)
    number = 0
    while not journal.full:
        number += 1
        journal.intent({"token": f"0.1.{number}", "kind": "audit", "filler": "x" * 100_000})
        journal.acknowledged(f"0.1.{number}", [], None)
    assert len(list(journal.records())) == 2 * number
    journal.close()


def test_a_journal_that_contradicts_itself_is_refused() -> None:
    first = {"token": "0.1.1", "kind": "audit"}
    with pytest.raises(ValueError, match="began before"):
        read_history([("I", first), ("I", first)])
    with pytest.raises(ValueError, match="acknowledged, in flight"):
        read_history([("A", {"token": "0.1.1", "ids": []})])


def test_what_a_writer_saw_and_what_it_caught_are_findings() -> None:
    history = read_history(
        [
            ("V", {"what": "lost row", "expected": "a", "found": "b"}),
            ("I", {"token": "0.1.1", "kind": "audit"}),
            ("X", {"error": "OSError: no"}),
        ]
    )
    assert history.failures == [("lost row", "a", "b"), ("exception", "audit 0.1.1", "OSError: no")]
    assert history.in_flight is not None


# ---------------------------------------------------------------------------------- operations


def loaded_model(writers: int) -> tuple[Model, tuple[Table, ...]]:
    table, rows = load.fill("things", {"name": [f"thing {n}" for n in range(40)]})
    tables = (*FIXED_TABLES, table)
    return Model.starting(tables, first_rows(writers) | {"things": rows}), tables


def planned(count: int, seed: int, *, rolls_back: bool = True) -> tuple[Model, list[Intent]]:
    """A writer's first intents, all of them acknowledged."""
    model, _ = loaded_model(2)
    own = model.share(1, 2, set(), Random(seed))
    rng = Random(seed)
    planner = Planner(rng, own, 1, 2, real_text=True, rolls_back=rolls_back)
    intents, next_id = [], 100
    for number in range(count):
        intent = planner.next(f"1.9.{number}")
        operation = operation_of(intent)
        new = [effect for effect in operation.effects if type(effect).__name__ == "Insert"]
        ids = list(range(next_id, next_id + len(new)))
        next_id += len(new)
        own.apply(operation.owned(), ids)
        model.apply(operation, ids)
        intents.append(intent)
    return model, intents


def test_what_a_writer_does_to_a_database_is_what_its_intents_say(tmp_path: Path) -> None:
    model, tables = loaded_model(2)
    store = open_store("bazanite", tables, tmp_path, "off")
    for table in tables:
        store.insert_many(table.name, list(model.rows[table.name].values()))
    own = model.share(1, 2, set(), Random(5))
    planner = Planner(Random(5), own, 1, 2, real_text=True, rolls_back=True)
    kinds = set()
    for number in range(300):
        intent = planner.next(f"1.9.{number}")
        kinds.add(intent["kind"])
        operation = operation_of(intent)
        ids = perform(store, intent, own)
        own.apply(operation.owned(), ids)
        model.apply(operation, ids)
    store.checkpoint()
    assert kinds | {"checkpoint"} == set(EFFECTS)
    snapshot = Snapshot({table.name: store.scan(table.name) for table in tables})
    assert judge(model, [], snapshot) == []
    store.close()


def test_the_same_seed_plans_the_same_operations() -> None:
    assert planned(300, seed=5)[1] == planned(300, seed=5)[1]
    assert planned(300, seed=5)[1] != planned(300, seed=6)[1]


def test_a_plan_holds_every_kind_of_operation() -> None:
    _, intents = planned(3000, seed=1)
    assert {intent["kind"] for intent in intents} == set(EFFECTS)


def test_an_engine_that_cannot_roll_back_is_not_asked_to() -> None:
    _, intents = planned(1000, seed=1, rolls_back=False)
    assert {"rolled back", "savepoint"}.isdisjoint(intent["kind"] for intent in intents)


def test_an_intent_means_the_same_after_the_journal() -> None:
    for intent in planned(1000, seed=2)[1]:
        assert operation_of(json.loads(json.dumps(intent))) == operation_of(intent)


def test_whether_an_operation_happened_can_always_be_told() -> None:
    model, _ = loaded_model(2)
    quiet = {"rolled back", "refused", "look", "audit", "checkpoint"}
    next_id = 100
    for intent in planned(1000, seed=3)[1]:
        operation = operation_of(intent)
        touched = list(operation.touched())
        before = [model.rows[table].get(key) for table, key in touched]
        model.apply(operation, range(next_id, next_id + 20))
        next_id += 20
        after = [model.rows[table].get(key) for table, key in touched]
        assert intent["kind"] in quiet or before != after


def test_what_a_writer_owns_stays_small() -> None:
    model, _ = planned(6000, seed=4)
    assert all(len(rows) < 100 for rows in model.rows.values())


@pytest.mark.parametrize("size", [None, 0, 1, 10, 333, 20_000])
def test_a_text_has_its_size_and_its_mark(size: int | None) -> None:
    text = text_of("15.123.4567", size)
    if not size:
        assert text == (None if size is None else "")
        return
    assert text is not None
    assert "<15.123.4567|" in text
    assert len(text.encode()) <= max(size, 15)
    assert text == text.strip()


# ---------------------------------------------------------------------------------- model


def test_writers_share_no_row() -> None:
    model, intents = planned(500, seed=7)
    assert intents
    first, second = (model.share(slot, 2, set(), Random(1)) for slot in (0, 1))
    for table in model.rows:
        assert first.rows[table].keys().isdisjoint(second.rows[table])
        assert first.removed[table].keys().isdisjoint(second.removed[table])
    assert all(slot_of(str(key)) == 1 for key in second.rows["notes"])
    assert second.rows["notes"]


def test_nobody_gets_a_row_that_rests() -> None:
    model, _ = planned(500, seed=7)
    frozen = {("notes", key) for key in list(model.rows["notes"])[:3]} | {("counters", 2)}
    share = model.share(1, 2, frozen, Random(1))
    assert all(key not in share.rows[table] for table, key in frozen)
    assert len(share.rows["notes"]) == len(model.rows["notes"]) - 3


# ---------------------------------------------------------------------------------- loading


def test_a_csv_file_becomes_a_table(tmp_path: Path) -> None:
    path = tmp_path / "2024 Sales.csv"
    text = '\ufeffId,Größe,,Mark,größe\n1,"a\nb",x, y ,\x00ż\n2,,,,\n\n3,*c,,,\n'
    path.write_text(text, encoding="utf-8")
    loaded = load.load_csv(path)
    (table,) = loaded.tables
    assert table.name == "loaded_2024_sales"
    names = ["id_2", "gr_e", "column_3", "mark_2", "gr_e_2", "mark"]
    assert [column.name for column in table.columns] == names
    assert [column.size for column in table.columns[:-1]] == [1, 3, 1, 1, 2]
    rows: list[Row] = loaded.rows[table.name]
    assert [row["gr_e"] for row in rows] == ["a b", "", "*c"]
    assert rows[0]["gr_e_2"] == "ż"
    assert rows[0]["mark_2"] == "y"


def test_a_wide_column_becomes_text_and_keeps_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text(f'body\n"one\ntwo {"x" * 200}"\n', encoding="utf-8")
    (table,) = load.load_csv(path).tables
    assert table.name == "notes_2"
    assert table.columns[0].kind == "text"
    assert load.load_csv(path).rows["notes_2"][0]["body"] == f"one\ntwo {'x' * 200}"


@pytest.mark.parametrize(
    "content, why",
    [
        ("", "names no column"),
        ("1,2\n3,4\n", "names no column"),
        ("\na,b\n1,2\n", "names no column"),
        ("only,a,header\n\n", "no rows"),
        ("a,b\n1,2\n\n1\n", r"2 column\(s\), the row at line 4 has 1"),
        ("a,b\n1,2,3\n", "the row at line 2 has 3"),
        ("import json, sys\n\nprint(sys.argv)\n", "not a CSV file"),
    ],
)
def test_a_file_that_is_no_csv_with_a_header_is_refused(
    tmp_path: Path, content: str, why: str
) -> None:
    path = tmp_path / "some.csv"
    path.write_text(content)
    with pytest.raises(load.LoadError, match=rf"some\.csv: .*{why}"):
        load.load_csv(path)


def test_a_csv_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(load.LoadError, match="absent"):
        load.load_csv(tmp_path / "absent.csv")


STATUS = """\
Package: adduser
Status: install ok installed
Section: admin
Installed-Size: 849
Maintainer: Zoë <zoe@example.org>
Version: 3.134
Description: add and remove users
 This package includes two commands.
 .
 And a second paragraph.

Package: apt
Maintainer: Al <al@example.org>
Installed-Size: many
Version: 2.6.1
"""


def test_dpkgs_list_becomes_packages_and_their_maintainers(tmp_path: Path) -> None:
    path = tmp_path / "status"
    path.write_text(STATUS, encoding="utf-8")
    loaded = load.load_dpkg(path)
    maintainers, packages = loaded.tables
    assert maintainers.still
    assert not packages.still
    people = ["Al <al@example.org>", "Zoë <zoe@example.org>"]
    assert loaded.rows["maintainers"] == [{"name": name} for name in people]
    first, second = loaded.rows["packages"]
    assert first["maintainer_id"] == 2
    assert first["installed_size"] == 849
    assert first["description"] == (
        "add and remove users\nThis package includes two commands.\n.\nAnd a second paragraph."
    )
    assert (second["section"], second["installed_size"]) == ("", None)


# ---------------------------------------------------------------------------------- replaying


def test_the_replay_command_has_the_durability_only_where_there_is_one() -> None:
    assert "--durability off" in Settings(1, durability="off").replay_command()
    assert "durability" not in Settings(1, engine="bazoola").replay_command()


# ---------------------------------------------------------------------------------- killing


def test_attacks_are_of_every_kind_and_of_any_length() -> None:
    rng = Random(1)
    strikes = [plan_strike(rng, [0, 1, 2]) for _ in range(500)]
    assert {strike.mode for strike in strikes} == set(MODES)
    assert min(strike.delay_seconds for strike in strikes) < 1e-5
    assert LONGEST_SECONDS / 3 < max(s.delay_seconds for s in strikes) <= LONGEST_SECONDS
    assert all(len(set(strike.victims)) == len(strike.victims) for strike in strikes)
    assert {len(s.victims) for s in strikes if s.mode == "everyone"} == {3}


def test_one_writer_alone_can_be_attacked_in_every_way() -> None:
    rng = Random(1)
    assert {plan_strike(rng, [3]).victims for _ in range(100)} == {(3,)}


@pytest.mark.skipif(not LOCK_TABLE.exists(), reason="only Linux tells who holds a lock")
def test_the_holder_of_the_lock_is_found(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    assert lock_holder(lock) is None
    with lock.open("w") as file:
        assert lock_holder(lock) is None
        fcntl.flock(file, fcntl.LOCK_EX)
        assert lock_holder(lock) == os.getpid()
    assert lock_holder(lock) is None


def test_a_short_time_is_short() -> None:
    rng = Random(1)
    times = [short_time(rng, 0.5) for _ in range(1000)]
    assert 0 < min(times) < max(times) <= 0.5
