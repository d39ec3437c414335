"""The verdict: what acknowledged operations add up to, against what the recovered database says.

Pure: no clock, no file, no database. For each operation in flight the rows that it owns decide
whether it happened: all as after it, or all as before it; anything else is half a transaction.
Then model and snapshot must agree on every row, every id, every sum, and the model goes on from
there. Where a row disagrees the finding says which operation is responsible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bazanite_stress.torture.effects import Change, Delete, Effect, Insert, Operation, slot_of
from bazanite_stress.torture.model import Model
from bazanite_stress.torture.schema import ACCOUNTS, START_BALANCE, Key, Row

# More findings of one round say nothing new.
AT_MOST = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it must be; `worker` is the slot responsible, if one is."""

    what: str
    expected: str
    found: str
    worker: int | None = None


@dataclass(slots=True)
class Snapshot:
    """What the recovered database says. A table that could not be read is missing from `rows` and
    told of in `errors`; `problems` are the findings of the database's own check; `next_ids`, where
    asked for, what the next row of each table gets.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    next_ids: dict[str, int] = field(default_factory=dict)

    def complaints(self) -> list[Finding]:
        """What is wrong whatever the rows are."""
        findings = [Finding("unreadable", "rows", error) for error in self.errors]
        return findings + [Finding("check", "no problems", problem) for problem in self.problems]


@dataclass(slots=True)
class _Index:
    """A snapshot's rows by key, without their ids."""

    rows: dict[str, dict[Key, Row]] = field(default_factory=dict)
    ids: dict[str, dict[Key, int]] = field(default_factory=dict)


def judge(model: Model, in_flight: Sequence[Operation], snapshot: Snapshot) -> list[Finding]:
    """All that is wrong with the snapshot; none: it survived. Afterwards the model holds the
    operations in flight that happened, and the ids that the database chose for their rows.
    """
    findings = snapshot.complaints()
    index = _Index()
    for table, rows in snapshot.rows.items():
        findings += _index_table(model, index, table, rows)
    undecided: set[tuple[str, Key]] = set()
    for operation in in_flight:
        happened, finding = _decide(model, operation, index)
        if finding:
            findings.append(finding)
            undecided.update(operation.touched())
        if happened:
            model.apply(operation)
        else:
            model.never_happened(operation)
    for table in snapshot.rows:
        findings += _compare(model, index, table, undecided)
    findings += _ledger_agrees(snapshot)
    if not findings:
        model.ids = index.ids
        model.cause.clear()
    return findings[:AT_MOST]


def _index_table(model: Model, index: _Index, table: str, rows: Iterable[Row]) -> list[Finding]:
    findings = []
    by_key: dict[Key, Row] = {}
    ids: dict[Key, int] = {}
    seen_ids: set[int] = set()
    key_column = model.keys[table]
    for row in rows:
        row_id, key = row["id"], row[key_column]
        if not isinstance(row_id, int) or key is None:
            findings.append(Finding("wrong row", f"{table}: an id and a {key_column}", str(row)))
            continue
        if key in by_key or row_id in seen_ids:
            findings.append(
                Finding("duplicate", f"{table}: one row {key}", f"another, id {row_id}")
            )
            continue
        seen_ids.add(row_id)
        ids[key] = row_id
        by_key[key] = {name: value for name, value in row.items() if name != "id"}
    index.rows[table], index.ids[table] = by_key, ids
    return findings


def _after(effect: Insert | Change | Delete, before: Row | None) -> Row | None:
    match effect:
        case Insert(row=row):
            return row
        case Change(changes=changes):
            return None if before is None else before | changes
        case Delete():
            return None


def _decide(model: Model, operation: Operation, index: _Index) -> tuple[bool, Finding | None]:
    """Whether the operation happened; and a finding if its rows do not say one thing."""
    done, undone, torn = [], [], []
    for effect in operation.effects:
        if not isinstance(effect, Insert | Change | Delete) or effect.table not in index.rows:
            continue
        before = model.rows[effect.table].get(effect.key)
        found = index.rows[effect.table].get(effect.key)
        after = _after(effect, before)
        if after == before:
            continue
        if found == after:
            done.append(effect)
        elif found == before:
            undone.append(effect)
        else:
            torn.append(effect)
    name = f"{operation.kind} {operation.token} in flight, whole or not at all"
    if torn:
        rows = [index.rows[effect.table].get(effect.key) for effect in torn]
        text = f"neither before nor after: {_names(torn)}: {_short(rows)}"
        return bool(done), Finding("half transaction", name, text, operation.worker)
    if done and undone:
        text = f"done: {_names(done)}; not done: {_names(undone)}"
        return True, Finding("half transaction", name, text, operation.worker)
    return bool(done), None


def _compare(
    model: Model, index: _Index, table: str, undecided: set[tuple[str, Key]]
) -> list[Finding]:
    """Every row of one table, model against snapshot."""
    findings = []
    expected, found = model.rows[table], index.rows[table]
    for key, row in expected.items():
        if (table, key) in undecided:
            continue
        if key not in found:
            findings.append(_lost(model, table, key, None))
        elif found[key] != row:
            findings.append(_differs(model, table, key, found[key]))
        elif index.ids[table][key] != model.ids[table].get(key, index.ids[table][key]):
            text = f"{table} {key}: id {model.ids[table][key]}"
            findings.append(Finding("wrong id", text, f"id {index.ids[table][key]}", _slot(key)))
    strays = [
        _stray(model, table, key, row)
        for key, row in found.items()
        if key not in expected and (table, key) not in undecided
    ]
    return findings + strays


def _lost(model: Model, table: str, key: Key, found: Row | None) -> Finding:
    token = model.cause.get((table, key), ("", None))[0]
    expected = f"{table} {key}: {_short(model.rows[table][key])}, acknowledged"
    if token:
        expected += f" by {token}"
    text = "no such row" if found is None else f"the row before that: {_short(found)}"
    return Finding("lost acknowledged operation", expected, text, _slot(token or key))


def _differs(model: Model, table: str, key: Key, found: Row) -> Finding:
    row = model.rows[table][key]
    columns = [name for name in row if found.get(name) != row[name]]
    expected = f"{table} {key}: " + _short({name: row[name] for name in columns})
    text = _short({name: found.get(name) for name in columns})
    if table == "accounts":
        return Finding("wrong sum", expected, text)
    if table == "counters":
        return Finding("wrong counter", expected, text)
    token, before = model.cause.get((table, key), ("", None))
    if found == before:
        return _lost(model, table, key, found)
    return Finding("wrong row", expected, text, _slot(token or key))


def _stray(model: Model, table: str, key: Key, found: Row) -> Finding:
    if (table, key) not in model.gone:
        return Finding("stray row", f"{table}: no row {key}", _short(found), _slot(key))
    token, deleted = model.gone[table, key]
    if deleted:
        expected = f"{table} {key}: deleted, acknowledged by {token}"
        return Finding("lost acknowledged operation", expected, _short(found), _slot(token))
    expected = f"{table} {key}: never, {token} did not happen"
    return Finding("resurrected", expected, _short(found), _slot(token))


def _ledger_agrees(snapshot: Snapshot) -> list[Finding]:
    """The database against itself: each balance is its start, what was settled, and the ledger."""
    if not {"accounts", "ledger"} <= snapshot.rows.keys():
        return []
    moved: dict[object, int] = {}
    for entry in snapshot.rows["ledger"]:
        amount = _number(entry["amount"])
        moved[entry["source"]] = moved.get(entry["source"], 0) - amount
        moved[entry["target"]] = moved.get(entry["target"], 0) + amount
    findings = []
    accounts = snapshot.rows["accounts"]
    for account in accounts:
        ledger = START_BALANCE + _number(account["settled"]) + moved.get(account["id"], 0)
        if account["balance"] != ledger:
            text = f"balance {account['balance']}"
            expected = f"account {account['id']}: {ledger} by the ledger"
            findings.append(Finding("ledger and balance disagree", expected, text))
    total = sum(_number(account["balance"]) for account in accounts)
    if total != ACCOUNTS * START_BALANCE:
        findings.append(Finding("wrong sum", f"{ACCOUNTS * START_BALANCE} in all", str(total)))
    return findings


def _number(value: object) -> int:
    """A number of the snapshot; what is none is found elsewhere."""
    return value if isinstance(value, int) else 0


def _names(effects: Sequence[Effect]) -> str:
    return ", ".join(f"{effect.table} {effect.key}" for effect in effects)


def _slot(token: Key) -> int | None:
    """The writer slot that a token names; None for an id."""
    return slot_of(token) if isinstance(token, str) and token[:1].isdigit() else None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}... ({len(text)} characters)"
