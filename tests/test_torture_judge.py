"""The judge of the torture harness: what it lets pass, and that it finds each kind of loss."""

from __future__ import annotations

from copy import deepcopy

import pytest

from bazanite_stress.torture.effects import Operation
from bazanite_stress.torture.judge import Finding, Snapshot, judge
from bazanite_stress.torture.model import Model
from bazanite_stress.torture.operations import Intent, operation_of
from bazanite_stress.torture.schema import FIXED_TABLES, Column, Row, Table, first_rows

WRITERS = 2
LOADED = Table("things", (Column("name", "char", 8), Column("mark", "char", 24)))
TABLES = (*FIXED_TABLES, LOADED)
THINGS: list[Row] = [{"name": "anvil", "mark": ""}, {"name": "bell", "mark": ""}]

TRANSFER: Intent = {
    "token": "0.1.1",
    "kind": "transfer",
    "source": 1,
    "target": 2,
    "amount": 5,
    "ledger_first": True,
}
NOTES: Intent = {
    "token": "1.2.1",
    "kind": "notes",
    "notes": [
        {"token": "1.2.1.0", "size": 40, "account": 1},
        {"token": "1.2.1.1", "size": None, "account": None},
    ],
}
EDIT: Intent = {
    "token": "1.2.2",
    "kind": "edit",
    "notes": [{"token": "1.2.1.0", "id": 1, "size": 70}],
}
ERASE: Intent = {
    "token": "1.2.3",
    "kind": "erase",
    "notes": [{"token": "1.2.1.0", "id": 1}, {"token": "1.2.1.1", "id": 2}],
}
COUNT: Intent = {"token": "0.1.2", "kind": "count", "own": 1, "all": 3, "value": 1}
ROLLED_BACK: Intent = {**TRANSFER, "token": "0.1.3", "kind": "rolled back", "deep": False}
PATCH: Intent = {
    "token": "0.1.4",
    "kind": "patch",
    "table": "things",
    "id": 2,
    "changes": {"name": "anvil", "mark": "0.1.4"},
}
DROP: Intent = {"token": "0.1.5", "kind": "drop", "table": "things", "id": 2}
RESTORE: Intent = {
    "token": "0.1.6",
    "kind": "restore",
    "table": "things",
    "id": 2,
    "row": {"name": "bell", "mark": "0.1.6"},
}


def new_model() -> Model:
    return Model.starting(TABLES, first_rows(WRITERS) | {"things": THINGS})


def after(*done: tuple[Intent, list[int]]) -> Model:
    """The model after these acknowledged intents."""
    model = new_model()
    for intent, ids in done:
        model.apply(operation_of(intent), ids)
    return model


def database(model: Model) -> Snapshot:
    """What a database says that holds exactly what the model holds."""
    snapshot = Snapshot()
    for table, rows in model.rows.items():
        snapshot.rows[table] = [
            {"id": model.ids[table].get(key, number), **deepcopy(row)}
            for number, (key, row) in enumerate(rows.items(), 1)
        ]
    return snapshot


def verdict(model: Model, snapshot: Snapshot, *in_flight: Intent) -> list[str]:
    """What is found, one word for each finding."""
    return [finding.what for finding in findings(model, snapshot, *in_flight)]


def findings(model: Model, snapshot: Snapshot, *in_flight: Intent) -> list[Finding]:
    operations: list[Operation] = [operation_of(intent) for intent in in_flight]
    return judge(model, operations, snapshot)


DONE: tuple[tuple[Intent, list[int]], ...] = (
    (TRANSFER, [1]),
    (NOTES, [1, 2]),
    (EDIT, []),
    (COUNT, []),
    (ROLLED_BACK, []),
    (PATCH, []),
)


def test_a_database_that_holds_what_was_acknowledged_survives() -> None:
    assert verdict(after(*DONE), database(after(*DONE))) == []


@pytest.mark.parametrize(
    "before,intent",
    [
        pytest.param((), TRANSFER, id="transfer"),
        pytest.param((), NOTES, id="several inserts"),
        pytest.param(((NOTES, [1, 2]),), EDIT, id="update of a text"),
        pytest.param(((NOTES, [1, 2]),), ERASE, id="several deletes"),
        pytest.param((), COUNT, id="counter"),
        pytest.param((), PATCH, id="update of a real row"),
        pytest.param((), DROP, id="delete of a real row"),
        pytest.param(((DROP, []),), RESTORE, id="insert with a manual id"),
    ],
)
def test_an_operation_in_flight_may_be_there_whole_or_not_at_all(
    before: tuple[tuple[Intent, list[int]], ...], intent: Intent
) -> None:
    without, with_it = after(*before), after(*before, (intent, [1, 2]))
    model = after(*before)
    assert verdict(model, database(without), intent) == []
    assert model.rows == without.rows
    model = after(*before)
    assert verdict(model, database(with_it), intent) == []
    assert model.rows == with_it.rows


def test_an_operation_in_flight_that_happened_is_the_truth_from_then_on() -> None:
    model = after()
    assert verdict(model, database(after((NOTES, [1, 2]))), NOTES) == []
    assert model.ids["notes"] == {"1.2.1.0": 1, "1.2.1.1": 2}
    lost = verdict(model, database(after()))
    assert lost == ["lost acknowledged operation"] * 2


def test_an_operation_in_flight_that_did_not_happen_must_not_appear_later() -> None:
    model = after()
    assert verdict(model, database(after()), NOTES) == []
    assert verdict(model, database(after((NOTES, [1, 2])))) == ["resurrected"] * 2


def test_a_lost_insert_is_found_and_its_writer_named() -> None:
    snapshot = database(after((NOTES, [1, 2])))
    del snapshot.rows["notes"][1]
    (finding,) = findings(after((NOTES, [1, 2])), snapshot)
    assert finding.what == "lost acknowledged operation"
    assert finding.worker == 1
    assert "1.2.1" in finding.expected
    assert finding.found == "no such row"


def test_a_lost_update_is_found() -> None:
    model = after((NOTES, [1, 2]), (EDIT, []))
    assert verdict(model, database(after((NOTES, [1, 2])))) == ["lost acknowledged operation"]


@pytest.mark.parametrize(
    "before,intent", [(((NOTES, [1, 2]),), ERASE), ((), DROP)], ids=["own row", "real row"]
)
def test_a_lost_delete_is_found(
    before: tuple[tuple[Intent, list[int]], ...], intent: Intent
) -> None:
    found = verdict(after(*before, (intent, [])), database(after(*before)))
    assert set(found) == {"lost acknowledged operation"}


def test_a_lost_transfer_is_found_in_the_ledger_and_in_both_balances() -> None:
    found = verdict(after((TRANSFER, [1])), database(after()))
    assert sorted(found) == ["lost acknowledged operation", "wrong sum", "wrong sum"]


def test_half_of_several_inserts_is_found() -> None:
    snapshot = database(after((NOTES, [1, 2])))
    del snapshot.rows["notes"][1]
    assert verdict(after(), snapshot, NOTES) == ["half transaction"]


def test_half_of_several_deletes_is_found() -> None:
    snapshot = database(after((NOTES, [1, 2])))
    del snapshot.rows["notes"][0]
    assert verdict(after((NOTES, [1, 2])), snapshot, ERASE) == ["half transaction"]


@pytest.mark.parametrize("account", [1, 2])
def test_half_of_a_transfer_in_flight_is_found_in_the_balance(account: int) -> None:
    snapshot = database(after((TRANSFER, [1])))
    snapshot.rows["accounts"][account - 1]["balance"] = 10_000
    found = verdict(after(), snapshot, TRANSFER)
    assert set(found) == {"wrong sum", "ledger and balance disagree"}


def test_a_transfer_in_flight_without_its_ledger_row_is_found() -> None:
    snapshot = database(after((TRANSFER, [1])))
    snapshot.rows["ledger"].clear()
    found = verdict(after(), snapshot, TRANSFER)
    assert set(found) == {"wrong sum", "ledger and balance disagree"}


def test_an_update_in_flight_that_is_neither_old_nor_new_is_found() -> None:
    snapshot = database(after((NOTES, [1, 2])))
    snapshot.rows["notes"][0]["mark"] = EDIT["token"]
    assert verdict(after((NOTES, [1, 2])), snapshot, EDIT) == ["half transaction"]


def test_a_row_that_is_there_twice_is_found() -> None:
    snapshot = database(after((TRANSFER, [1])))
    snapshot.rows["ledger"].append({**snapshot.rows["ledger"][0], "id": 2})
    found = verdict(after((TRANSFER, [1])), snapshot)
    assert found[0] == "duplicate"
    assert "ledger and balance disagree" in found


def test_an_id_that_two_rows_have_is_found() -> None:
    snapshot = database(after((NOTES, [1, 2])))
    snapshot.rows["notes"][1]["id"] = 1
    assert "duplicate" in verdict(after((NOTES, [1, 2])), snapshot)


@pytest.mark.parametrize("acknowledged", [True, False], ids=["acknowledged", "in flight"])
def test_a_rolled_back_row_that_came_back_is_found(acknowledged: bool) -> None:
    snapshot = database(after())
    row: Row = {"id": 1, "owner": 0, "account": 1, "mark": "0.1.3", "body": ""}
    snapshot.rows["notes"].append(row | {"token": "0.1.3"})
    if acknowledged:
        assert verdict(after((ROLLED_BACK, [])), snapshot) == ["resurrected"]
    else:
        assert verdict(after(), snapshot, ROLLED_BACK) == ["resurrected"]


def test_a_row_that_nobody_inserted_is_found() -> None:
    snapshot = database(after())
    row: Row = {"id": 1, "owner": 0, "account": 1, "mark": "0.7.3", "body": "", "token": "0.7.3"}
    snapshot.rows["notes"].append(row)
    assert verdict(after(), snapshot) == ["stray row"]


def test_a_wrong_sum_is_found() -> None:
    snapshot = database(after())
    snapshot.rows["accounts"][3]["balance"] = 10_001
    found = verdict(after(), snapshot)
    assert found == ["wrong sum", "ledger and balance disagree", "wrong sum"]


@pytest.mark.parametrize("counter", [1, 3], ids=["own", "shared"])
def test_a_wrong_counter_is_found(counter: int) -> None:
    snapshot = database(after((COUNT, [])))
    snapshot.rows["counters"][counter - 1]["value"] = 0
    assert verdict(after((COUNT, [])), snapshot) == ["wrong counter"]


def test_a_damaged_text_is_found() -> None:
    snapshot = database(after((NOTES, [1, 2])))
    snapshot.rows["notes"][0]["body"] = "something else"
    assert verdict(after((NOTES, [1, 2])), snapshot) == ["wrong row"]


def test_a_row_under_another_id_than_acknowledged_is_found() -> None:
    snapshot = database(after((NOTES, [1, 2])))
    snapshot.rows["notes"][0]["id"] = 7
    assert verdict(after((NOTES, [1, 2])), snapshot) == ["wrong id"]


def test_what_the_database_says_of_itself_counts() -> None:
    snapshot = database(after())
    snapshot.problems.append("notes__free.dat: slot 3 is in use")
    del snapshot.rows["things"]
    snapshot.errors.append("things: ValueError: invalid literal")
    assert verdict(after(), snapshot) == ["unreadable", "check"]


def test_values_of_a_wrong_type_do_not_stop_the_judge() -> None:
    snapshot = database(after((TRANSFER, [1])))
    snapshot.rows["ledger"][0]["amount"] = None
    snapshot.rows["accounts"][0]["settled"] = "x"
    snapshot.rows["notes"].append({"id": None, "token": "0.9.9"})
    found = verdict(after((TRANSFER, [1])), snapshot)
    assert {"wrong row", "wrong sum"} <= set(found)
