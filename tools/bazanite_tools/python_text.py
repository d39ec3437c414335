"""A catalog's tables as Python classes, and steps of a migration as one writes them.

Pure.  Invariant: the classes, pasted into a program, open the directory that they were made from;
where a type is a program's own, once that program's type is imported.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from dataclasses import fields as attributes
from typing import Any

from bazanite import DECIMAL, FK, AddColumn, AddIndex, ChangeColumn, DropIndex, Field, FieldType
from bazanite.declared import NOTHING, declared
from bazanite.kinds import FIRST, LATER
from bazanite.specs import Catalog, FieldSpec, TableSpec
from bazanite.steps import Step

_LINE = 96


def classes_text(catalog: Catalog, names: Sequence[str]) -> str:
    """A program text with a class for each of these tables."""
    blocks: list[str] = []
    used: set[str] = set()
    own: set[str] = set()
    taken = {"DB", "Field", "Schema", "Table", *FIRST, *LATER}
    for name in names:
        spec = catalog.tables[name]
        blocks.append(_class_text(name, spec, catalog.int_width, _class_name(name, taken)))
        kinds = {field.type for field in spec.fields}
        used |= kinds & {*FIRST, *LATER}
        own |= kinds - {*FIRST, *LATER}
    imports = ", ".join([*sorted(used), "Field", "Schema", "Table"])
    head = f"from bazanite import {imports}\n"
    if len(head) > _LINE:
        head = "from bazanite import (\n" + _items([*sorted(used), "Field", "Schema", "Table"])
        head += ")\n"
    for kind in sorted(own):
        head += f"# {kind.removeprefix('own:')}: a type of the program's own, to be imported\n"
    options = [f"int_width={catalog.int_width}"] * (catalog.int_width != 9)
    options += ["checksums=True"] * catalog.has_checksums
    if options:
        head += f"# DB(..., {', '.join(options)}) makes another directory like this one\n"
    return "\n\n".join([head, *blocks])


def _items(names: Sequence[str]) -> str:
    return "".join(f"    {name},\n" for name in names)


def _class_name(table: str, taken: set[str]) -> str:
    parts = re.split(r"[_-]+", table)
    name = "".join(part[:1].upper() + part[1:] for part in parts) or "Table"
    if not name.isidentifier() or keyword.iskeyword(name):
        name = f"Table{name}"
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _class_text(table: str, spec: TableSpec, int_width: int, name: str) -> str:
    lines = [f"class {name}(Table):", f"    name = {_quoted(table)}"]
    fields = [f"Field({_quoted(f.name)}, {_field_type(f, int_width)})" for f in spec.fields]
    keys: list[str] = []
    for word, unique in (("unique", True), ("indexes", False)):
        columns = [index.columns for index in spec.indexes if index.unique == unique]
        if columns:
            keys.append(f"{word}=[{', '.join(map(_key, columns))}]")
    lines.append("    schema = Schema(")
    lines.append("        [")
    lines += [f"            {field}," for field in fields]
    lines.append("        ],")
    lines += [f"        {key}," for key in keys]
    lines.append("    )")
    return "\n".join(lines) + "\n"


def _key(columns: Sequence[str]) -> str:
    if len(columns) == 1:
        return _quoted(columns[0])
    return f"({', '.join(map(_quoted, columns))})"


def _field_type(spec: FieldSpec, int_width: int) -> str:
    name = spec.type.removeprefix("own:")
    arguments: list[str] = []
    if spec.table is not None and spec.type == "FK":
        arguments.append(_quoted(spec.table))
    elif spec.type == "CHAR" or (spec.type == "INT" and spec.size != int_width):
        arguments.append(str(spec.size))
    elif spec.type == "DECIMAL":
        arguments += [str(value) for _, value in spec.params]
    elif spec.type not in (*FIRST, *LATER):
        arguments.append(str(spec.size))
    if spec.null:
        arguments.append("null=True")
    if spec.type == "DATETIME" and dict(spec.params).get("utc"):
        arguments.append("utc=True")
    if spec.on_delete is not None and spec.type == "FK":
        arguments.append(f"on_delete={_quoted(spec.on_delete)}")
    return f"{name}({', '.join(arguments)})"


def migration_text(version: int, name: str, steps: Sequence[Step]) -> str:
    """A migration as it stands in a program's list."""
    lines = "".join(f"    {_step_text(step)},\n" for step in steps)
    return f"Migration({version}, {_quoted(name)}, [\n{lines}])"


def _step_text(step: Step) -> str:
    arguments = [_value_text(getattr(step, field.name)) for field in attributes(step)]  # type: ignore[arg-type]
    if isinstance(step, (AddIndex, DropIndex)):
        arguments = [_quoted(step.table), _value_text([*step.columns])]
    elif isinstance(step, AddColumn):
        arguments = [_quoted(step.table), _field_text(step.field)]
        if step.value is not NOTHING:
            arguments.append(_value_text(step.value))
    elif isinstance(step, ChangeColumn):
        arguments = [_quoted(step.table), _quoted(step.column), type_call(step.type)]
        if step.convert is not None:
            arguments.append("convert=...")
    return f"{type(step).__name__}({', '.join(arguments)})"


def _field_text(field: Field) -> str:
    return f"Field({_quoted(field.name)}, {type_call(field.type)})"


def type_call(kind: FieldType) -> str:
    """A type that the command line named, as Python has it."""
    arguments: list[str] = []
    if isinstance(kind, FK):
        arguments.append(_quoted(kind.params["rel_name"]))
    elif isinstance(kind, DECIMAL):
        arguments += [str(kind.params["digits"]), str(kind.params["places"])]
    elif type(kind).__name__ == "CHAR" or getattr(kind, "sized", False):
        arguments.append(str(kind.size))
    said = declared(kind)
    flags = {"null": kind.null, "unique": said.unique, "index": said.index}
    flags["utc"] = bool(kind.params.get("utc"))
    arguments += [f"{name}=True" for name, given in flags.items() if given]
    if isinstance(kind, FK) and kind.on_delete is not None:
        arguments.append(f"on_delete={_quoted(kind.on_delete)}")
    return f"{type(kind).__name__}({', '.join(arguments)})"


def _value_text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_value_text, value))}]"
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    """A literal, with double quotes where Python's own has single ones that are as good."""
    literal = repr(text)
    return f'"{literal[1:-1]}"' if literal[0] == "'" and '"' not in literal else literal
