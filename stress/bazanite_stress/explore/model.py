"""What a workload must lead to, worked out in plain dictionaries, without the database.

Rule R17 of docs/crash-model.md: a verdict never asks the engine what is right.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .schema_model import Key, MigrationRefused, stages
from .workload import GROUPS, Columns, Step, more

Values = dict[str, Any]

Content = tuple[tuple[str, tuple[tuple[int, tuple[tuple[str, Any], ...]], ...]], ...]
"""All rows of all tables, sorted, hashable: equal exactly if the databases say the same."""

Error = str
"""The class name of the error that a step must end in."""


@dataclass(slots=True)
class TableModel:
    """Rows by id, and the last id given out automatically.  A row, once made, never changes: an
    update puts another one in its place.  ``keys``: else as the columns' types say.
    """

    columns: Columns
    rows: dict[int, Values] = field(default_factory=dict)
    last_id: int = 0
    keys: tuple[Key, ...] = ()

    @classmethod
    def of(cls, columns: Columns) -> TableModel:
        """An empty table whose columns' types say what is unique or has an index."""
        said = ((name, more(kind)) for name, kind in columns.items())
        keys = [
            Key((name,), option == "unique")
            for name, options in said
            for option in ("unique", "index")
            if options.get(option)
        ]
        return cls(columns, keys=tuple(keys))

    def next_id(self) -> int:
        """The id that the next insert without one gets."""
        number = self.last_id + 1
        while number in self.rows:
            number += 1
        return number

    def refuse_twin(self, row: Values, but: int | None = None) -> None:
        """ModelError if another row has the same value in a column that is unique."""
        for names, unique in self.keys:
            values = [row[name] for name in names]
            if not unique or None in values:
                continue
            others = (other for pk, other in self.rows.items() if pk != but)
            if any([other[name] for name in names] == values for other in others):
                raise ModelError("IntegrityError")

    def hidden(self) -> tuple[object, ...]:
        """What its rows do not show, to be compared: the next id, the columns, and the keys."""
        columns = tuple((name, repr(kind)) for name, kind in sorted(self.columns.items()))
        return self.next_id(), columns, self.keys

    def clone(self) -> TableModel:
        """A copy that shares the rows themselves."""
        return TableModel(self.columns, dict(self.rows), self.last_id, self.keys)


class Model:
    """The state of a database.  A step that fails changes nothing, unless it is a migration: what
    that had made stays.  ``made``: how many changes of each migration were made.
    """

    def __init__(self, tables: Mapping[str, Columns]) -> None:
        self.tables = {name: TableModel.of(columns) for name, columns in tables.items()}
        self.made: dict[int, int] = {}

    def clone(self) -> Model:
        """A copy that goes its own way."""
        copied = Model({})
        copied.tables = self._copy()
        copied.made = dict(self.made)
        return copied

    def _copy(self) -> dict[str, TableModel]:
        return {name: table.clone() for name, table in self.tables.items()}

    def content(self) -> Content:
        """All rows."""
        return content_of({name: table.rows for name, table in self.tables.items()})

    def next_ids(self) -> dict[str, int]:
        """What the next automatic id of each table is."""
        return {name: table.next_id() for name, table in self.tables.items()}

    def hidden(self) -> object:
        """What the content does not show, and later calls do: the next ids, and the schema."""
        made = tuple(sorted(self.made.items()))
        return made, tuple((name, *self.tables[name].hidden()) for name in sorted(self.tables))

    def answer(self, step: Step) -> tuple[Any, Error]:
        """Carry the step out; what the call must return, and the error it must end in."""
        try:
            return self.apply(step), ""
        except ModelError as refusal:
            return None, str(refusal)

    def passed(self, step: Step) -> tuple[list[Model], Any, Error]:
        """The states that the step goes through, the last one included, and as ``answer``."""
        model = self.clone()
        if step[0] != "migrate":
            answer, error = model.answer(step)
            return [self if error else model], answer, error
        states: list[Model] = []
        try:
            for state in stages(model, *step[1:]):
                states.append(state)  # noqa: PERF402  one by one: some come before a refusal
        except MigrationRefused as refusal:
            return states or [self], None, str(refusal)
        return states or [self], [step[1]] if states else [], ""

    def _migrate(self, version: int, changes: list[list[Any]]) -> list[int]:
        states, answer, error = self.passed(["migrate", version, changes])
        self.tables, self.made = states[-1].tables, states[-1].made
        if error:
            raise ModelError(error)
        made: list[int] = answer
        return made

    def apply(self, step: Step) -> Any:
        """Carry the step out; returns what the call must return, or raises ModelError."""
        if step[0] in GROUPS:
            return self._group(step)
        return getattr(self, f"_{step[0]}")(*step[1:])

    def _group(self, step: Step) -> None:
        before = self._copy()
        for inner in step[1]:
            try:
                self.apply(inner)
            except ModelError:
                continue  # the caller of a failed call goes on
        if step[0] == "rollback":
            self.tables = before

    def _insert(self, table: str, values: Values) -> Values:
        target = self.tables[table]
        self._check_relations(target, values)
        number = values.get("id")
        last_id = target.last_id
        if number is None:
            number = target.last_id = target.next_id()
        elif number in target.rows:
            raise ModelError("ValidationError")
        row = {"id": number} | {name: values.get(name) for name in target.columns}
        try:
            target.refuse_twin(row)
        except ModelError:
            target.last_id = last_id
            raise
        target.rows[number] = row
        return row

    def _insert_many(self, table: str, rows: list[Values]) -> list[Values]:
        before = self._copy()
        try:
            return [self._insert(table, values) for values in rows]
        except ModelError:
            self.tables = before
            raise

    def _update(self, table: str, number: int, values: Values) -> Values:
        target = self.tables[table]
        self._check_relations(target, values)
        if number not in target.rows:
            raise ModelError("NotFoundError")
        moved = values.get("id", number)
        if moved != number:
            if moved in target.rows:
                raise ModelError("ValidationError")
            if any(True for _ in self._referring(table, number)):
                raise ModelError("IntegrityError")
        row = target.rows[number] | values
        target.refuse_twin(row, but=number)
        del target.rows[number]
        target.rows[moved] = row
        return row

    def _delete(self, table: str, number: int) -> None:
        if number not in self.tables[table].rows:
            raise ModelError("NotFoundError")
        doomed = {(table, number)}
        waiting = [(table, number)]
        cleared: list[tuple[str, int, str]] = []
        in_the_way: set[tuple[str, int]] = set()
        while waiting:
            for other, pk, column, action in self._referring(*waiting.pop()):
                if action == "restrict":
                    in_the_way.add((other, pk))
                elif action == "set_null":
                    cleared.append((other, pk, column))
                elif (other, pk) not in doomed:
                    doomed.add((other, pk))
                    waiting.append((other, pk))
        if in_the_way - doomed:
            raise ModelError("IntegrityError")
        for other, pk, column in cleared:
            rows = self.tables[other].rows
            rows[pk] = rows[pk] | {column: None}
        for other, pk in doomed:
            del self.tables[other].rows[pk]

    def _referring(self, table: str, number: int) -> Iterator[tuple[str, int, str, str]]:
        """(table, id, column, what a delete does) of each reference that is looked after."""
        for name, target in self.tables.items():
            for column, kind in target.columns.items():
                if kind[:2] != ["fk", table]:
                    continue
                action = more(kind).get("on_delete", "keep")
                if action != "keep":
                    for pk, row in target.rows.items():
                        if row[column] == number:
                            yield name, pk, column, action

    def _truncate(self, table: str, cascade: bool) -> None:
        emptied = [table]
        for name in emptied:
            for other, target in self.tables.items():
                refers = [c for c, kind in target.columns.items() if kind[:2] == ["fk", name]]
                held = any(row[c] is not None for row in target.rows.values() for c in refers)
                if not refers or other in emptied:
                    continue
                if cascade:
                    emptied.append(other)
                elif held:
                    raise ModelError("ValueError")
        for name in emptied:
            self.tables[name].rows.clear()
            self.tables[name].last_id = 0

    def _find(self, table: str, number: int) -> Values | None:
        return self.tables[table].rows.get(number)

    def _read(self) -> Content:
        return self.content()

    def _rows(self, table: str) -> list[Values]:
        rows = self.tables[table].rows
        return [rows[number] for number in sorted(rows)]

    def _backup(self) -> Content:
        return self._read()

    def _checkpoint(self, *_: object) -> None:
        """Changes nothing that anyone can read."""

    _archive = _vacuum = _checkpoint

    def _reopen(self) -> None:
        """Changes nothing that anyone can read."""

    def _check_relations(self, target: TableModel, values: Values) -> None:
        for name, kind in target.columns.items():
            referred = values.get(name)
            if kind[0] != "fk" or referred is None:
                continue
            if referred not in self.tables[kind[1]].rows:
                raise ModelError("ValueError")


class ModelError(Exception):
    """The step must fail with an error of this class name."""


def content_of(tables: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> Content:
    """Rows by table and id, in comparable form."""
    return tuple(
        (name, tuple((n, tuple(sorted(rows[n].items()))) for n in sorted(rows)))
        for name, rows in sorted(tables.items())
    )


def describe(content: Content) -> str:
    """The rows for a person, one line a table."""
    lines: list[str] = []
    for name, rows in content:
        shown = [
            "{" + ", ".join(f"{key}: {_shown(value)}" for key, value in row) + "}"
            for _, row in rows
        ]
        lines.append(f"{name}: {', '.join(shown) or 'no rows'}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:30]}...{text[-10:]} ({len(value)} characters)"
