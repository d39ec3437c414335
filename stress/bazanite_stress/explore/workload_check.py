"""Whether a workload can be carried out at all: tables, values, steps, options.

What merely fails (a row that is not there, an id that is taken) is legal, the model foresees it.
Everything here is a mistake of whoever wrote the workload: found beforehand it is a sentence, found
under way it would look like a fault of the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bazanite import CHAR, DB
from bazanite.errors import DBError, ValidationError
from bazanite.fields import DEFAULT_INT_WIDTH, ON_DELETE, Field
from bazanite_stress.simulation.disk import Disk
from bazanite_stress.simulation.machine import PATH, Machine
from bazanite_stress.simulation.system import SimulatedSystem

if TYPE_CHECKING:
    from .workload import Columns, Workload

_GROUP = (list,)
SIGNATURES: dict[str, tuple[type, ...]] = {
    "insert": (str, dict),
    "insert_many": (str, list),
    "update": (str, int, dict),
    "delete": (str, int),
    "truncate": (str, bool),
    "vacuum": (str,),
    "find": (str, int),
    "read": (),
    "backup": (),
    "checkpoint": (),
    "reopen": (),
    "archive": (int,),
    "transaction": _GROUP,
    "rollback": _GROUP,
    "lock": _GROUP,
    "migrate": (int, list),
}
"""Every step's name, and the types of its arguments."""

GROUPS = tuple(name for name, kinds in SIGNATURES.items() if kinds == _GROUP)
DURABILITIES = ("full", "normal", "off")
LARGEST_ID = 120_000
"""Simulated files have no holes: larger ids would take their room."""

_KINDS = {
    "int": ("at most a number of characters, or nothing", (int,), 0),
    "char": ("a number of bytes", (int,), 1),
    "text": ("nothing", (), 0),
    "fk": ("the name of a table", (str,), 1),
}
"""What a column's type takes besides its name: for people, the types, how many at least."""

_LONGEST = 120

Fields = dict[str, dict[str, Field]]
"""Each table's fields by name, as wide as they are in this workload's directory."""


class WrongWorkload(ValueError):
    """Nobody can carry this workload out; the text says what is wrong with it."""


def check_workload(workload: Workload) -> None:
    """WrongWorkload for a workload that nobody can carry out; what only fails is legal."""
    name: object = workload.name
    if not isinstance(name, str) or not name:
        raise WrongWorkload(f"a workload's name must be a text, not {name!r}")
    if workload.durability not in DURABILITIES:
        raise WrongWorkload(
            f"no such durability: {workload.durability!r}; there are {', '.join(DURABILITIES)}"
        )
    _check_tables(workload.tables)
    _check_options(workload.options)
    _check_before(workload)
    _check_all_steps(workload)
    if type(workload.explore_from) is not int or workload.explore_from < 0:
        raise WrongWorkload(f"explore_from={workload.explore_from!r}: must be a step's number")


def check_opens(workload: Workload) -> None:
    """WrongWorkload if the engine does not open a new directory with these tables and options."""
    system = SimulatedSystem(Machine(Disk("journal", 512)), "check")
    options = dict(workload.options)
    try:
        classes, durability = workload.classes(), workload.durability
        DB(classes, PATH, durability=durability, system=system, **options).close()
    except (DBError, TypeError, ValueError) as error:
        raise WrongWorkload(f"DB refuses its tables or options: {error}") from error


def _check_tables(tables: Any) -> None:
    if not isinstance(tables, Mapping) or not tables:
        raise WrongWorkload(f"tables: must map names to columns, not {_shown(tables)}")
    for table, columns in tables.items():
        if not isinstance(table, str):
            raise WrongWorkload(f"tables: {table!r} is no table's name")
        if not isinstance(columns, Mapping):
            raise WrongWorkload(
                f"tables: {table} must map columns to types such as ['char', 8],"
                f" not {_shown(columns)}"
            )
        for column, kind in columns.items():
            check_kind(f"{table}.{column}", kind, tables)


def check_kind(where: str, kind: Any, tables: Mapping[str, Any]) -> None:
    """WrongWorkload unless this is a column's type; what it refers to is one of the tables."""
    if not isinstance(kind, list) or not kind or not isinstance(kind[0], str):
        raise WrongWorkload(f"{where}: a type is a list such as ['char', 8], not {_shown(kind)}")
    name, *arguments = kind
    options = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
    if name not in _KINDS:
        raise WrongWorkload(f"{where}: no such type: {name!r}; there are {', '.join(_KINDS)}")
    wanted, types, least = _KINDS[name]
    fitting = len(arguments) in {least, len(types)}
    if not fitting or not all(type(a) is t for a, t in zip(arguments, types, strict=False)):
        raise WrongWorkload(f"{where}: {kind!r}: {name} takes {wanted}")
    if name == "fk" and arguments[0] not in tables:
        raise WrongWorkload(f"{where}: {kind!r}: no table {arguments[0]!r}")
    known: dict[str, tuple[Any, ...]] = {"unique": (True, False), "index": (True, False)}
    known |= {"on_delete": ON_DELETE} if name == "fk" else {}
    for option, value in options.items():
        if option not in known or value not in known[option]:
            raise WrongWorkload(f"{where}: {kind!r}: {option}={value!r} is no option of {name}")


def _check_options(options: Any) -> None:
    if not isinstance(options, Mapping):
        raise WrongWorkload(f"options: must map names to values, not {_shown(options)}")
    for name in ("durability", "cls_tables", "base_dir", "system"):
        if name in options:
            own = ": Workload(..., durability=...)" if name == "durability" else ""
            raise WrongWorkload(f"options: {name} cannot be given here{own}")


def _check_before(workload: Workload) -> None:
    kinds = {"options": Mapping, "tables": list, "bazoola": bool}
    if not isinstance(workload.before, Mapping):
        raise WrongWorkload(f"before: must map names to values, not {_shown(workload.before)}")
    for name, value in workload.before.items():
        if name not in kinds:
            raise WrongWorkload(f"before: no {name!r}; there are {', '.join(kinds)}")
        if not isinstance(value, kinds[name]):
            raise WrongWorkload(f"before: {name} must be a {kinds[name].__name__}: {_shown(value)}")
    _check_options(workload.before.get("options", {}))
    for table in workload.before.get("tables", ()):
        if table not in workload.tables:
            raise WrongWorkload(f"before: no table {table!r}")


def _check_all_steps(workload: Workload) -> None:
    """Each step for itself, and of a workload that migrates by the tables of then."""
    from .model import Model  # noqa: PLC0415  which imports this module
    from .schema_check import check_migration  # noqa: PLC0415  as well

    fields = _fields(workload, workload.tables)
    if workload.setup is not None:
        _check_steps(workload.setup, fields, "setup")
        if any(step[0] == "migrate" for step in workload.setup):
            raise WrongWorkload("setup: no migrate here: it would not be explored")
    _check_steps(workload.steps, None, "steps")
    if not workload.migrates:
        _check_steps(workload.steps, fields, "steps")
        return
    if workload.setup is None:
        raise WrongWorkload("setup: a workload that migrates needs one, if only an empty list")
    model = Model(workload.tables)
    for step in workload.setup:
        model.answer(step)
    for step in workload.steps:
        if step[0] == "migrate":
            check_migration(step, model, workload.steps)
        else:
            tables = {name: table.columns for name, table in model.tables.items()}
            _check_step(step, _fields(workload, tables), "")
        model.answer(step)
    try:
        _ = workload.steady_table
    except StopIteration:
        raise WrongWorkload("steps: a table must stay that no migration renames or drops") from None


def _fields(workload: Workload, tables: Mapping[str, Columns]) -> Fields:
    width = workload.options.get("int_width")
    width = width if type(width) is int else DEFAULT_INT_WIDTH
    try:
        return {
            cls.name: {field.name: field for field in cls.schema.bind(width).schema}
            for cls in replace(workload, tables=tables).classes()
        }
    except ValidationError as error:
        raise WrongWorkload(f"tables: {error.message}") from error


def _check_steps(steps: Any, fields: Fields | None, where: str, group: str = "") -> None:
    if not isinstance(steps, list):
        raise WrongWorkload(f"{where}: must be a list of steps, not {_shown(steps)}")
    for step in steps:
        _check_step(step, fields, group)


def _check_step(step: Any, fields: Fields | None, group: str) -> None:
    """``fields`` None: only whether it is a step."""
    if not isinstance(step, list) or not step:
        raise WrongWorkload(
            f"no such step: {_shown(step)}: a step is a list such as ['delete', TABLE, 1]"
        )
    name, *arguments = step
    if not isinstance(name, str) or name not in SIGNATURES:
        raise WrongWorkload(f"no such step: {_shown(step)}; there are {', '.join(SIGNATURES)}")
    kinds = SIGNATURES[name]
    if len(kinds) != len(arguments) or not all(map(_is_a, arguments, kinds)):
        wanted = ", ".join(kind.__name__ for kind in kinds) or "nothing"
        raise WrongWorkload(f"{_shown(step)}: {name} takes {wanted}")
    if group and (not kinds or name in ("migrate", "archive")):
        raise WrongWorkload(f"{_shown(step)}: no {name} within a {group}")
    if kinds == _GROUP:
        _check_steps(arguments[0], fields, name, name)
    elif kinds and name not in ("migrate", "archive") and fields is not None:
        _check_call(step, fields)


def _is_a(value: Any, kind: type) -> bool:
    return isinstance(value, kind) and (kind is not int or not isinstance(value, bool))


def _check_call(step: list[Any], fields: Fields) -> None:
    name, table, *rest = step
    if table not in fields:
        raise WrongWorkload(f"{_shown(step)}: no table {table!r}")
    if rest and _is_a(rest[0], int) and rest[0] < 1:
        raise WrongWorkload(f"{_shown(step)}: ids begin at 1")
    rows = rest[0] if name == "insert_many" else [v for v in rest if isinstance(v, dict)]
    for values in rows:
        if not isinstance(values, dict):
            raise WrongWorkload(f"{_shown(step)}: a row is a dict, not {_shown(values)}")
        for column, value in values.items():
            _check_value(step, fields[table].get(column), column, value)


def _check_value(step: list[Any], field: Field | None, column: Any, value: Any) -> None:
    if field is None:
        raise WrongWorkload(f"{_shown(step)}: {step[1]} has no column {column!r}")
    try:
        field.validate(value)
    except ValidationError as error:
        raise WrongWorkload(f"{_shown(step)}: {error.message}") from error
    if column == "id" and not 1 <= value <= LARGEST_ID:
        raise WrongWorkload(f"{_shown(step)}: ids here are from 1 to {LARGEST_ID}")
    if isinstance(value, bytes):
        raise WrongWorkload(f"{_shown(step)}: {column!r}: texts here are str, not bytes")
    if isinstance(field.type, CHAR) and isinstance(value, str) and value.endswith(" "):
        raise WrongWorkload(
            f"{_shown(step)}: {column!r}: comes back without the spaces at its end: leave them out"
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
