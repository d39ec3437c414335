"""Whether the migrations of a workload are ones: forms, names, types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bazanite.fields import ON_DELETE

from .schema_model import CONVERTED
from .workload_check import WrongWorkload, check_kind

if TYPE_CHECKING:
    from .model import Model
    from .workload import Step

_NAME = re.compile(r"[a-z][a-z0-9_]{0,20}\Z")
_FORMS: dict[str, tuple[str, ...]] = {
    "add_column": ("name", "type", "value?"),
    "drop_column": ("name",),
    "rename_column": ("name", "name"),
    "change_column": ("name", "type", "convert?"),
    "add_index": ("names",),
    "add_unique": ("names",),
    "drop_index": ("names",),
    "drop_unique": ("names",),
    "set_on_delete": ("name", "action"),
    "rename_table": ("name",),
    "drop_table": (),
}
"""What stands behind a change's name and table; with a question mark it may be left out."""


def check_migration(step: Step, model: Model, steps: list[Step]) -> None:
    """WrongWorkload unless the engine can be asked for this migration."""
    _, version, changes = step
    if version < 1:
        raise WrongWorkload(f"{step!r}: a migration's version is a positive number")
    for other in steps:
        if other[:2] == step[:2] and other != step:
            raise WrongWorkload(f"{step!r}: there is another migration {version}")
    known = set(model.tables) | {c[2] for c in changes if _is_change(c, "rename_table")}
    for change in changes:
        if not isinstance(change, list) or len(change) < 2 or change[0] not in _FORMS:
            raise WrongWorkload(f"{change!r}: a change is one of {', '.join(_FORMS)}")
        _check_change(change, known)


def _is_change(change: Any, name: str) -> bool:
    return isinstance(change, list) and change[:1] == [name] and len(change) > 2


def _check_change(change: list[Any], known: set[str]) -> None:
    name, table, *arguments = change
    forms = _FORMS[name]
    least = sum(1 for form in forms if not form.endswith("?"))
    if not least <= len(arguments) <= len(forms) or table not in known:
        raise WrongWorkload(f"{change!r}: {name} takes a table and {', '.join(forms) or 'nothing'}")
    for form, argument in zip(forms, arguments, strict=False):
        if form == "type":
            check_kind(f"{change!r}", argument, dict.fromkeys(known))
            options = argument[-1] if isinstance(argument[-1], dict) else {}
            if options.keys() - {"on_delete"}:
                raise WrongWorkload(f"{change!r}: an index is added by a change of its own")
        elif not _fits(form, argument):
            raise WrongWorkload(f"{change!r}: {argument!r} is not what {name} takes here")


def _fits(form: str, argument: Any) -> bool:
    if form == "name":
        return isinstance(argument, str) and bool(_NAME.match(argument))
    if form == "names":
        named = isinstance(argument, list) and all(isinstance(n, str) for n in argument)
        return named and "id" not in argument and len(set(argument)) == len(argument) > 0
    if form == "action":
        return argument in ON_DELETE
    if form == "convert?":
        return bool(argument == CONVERTED)
    return argument is None or type(argument) in (int, str)
