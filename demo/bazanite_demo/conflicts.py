"""Two people edited one row: what the second one is shown.

A form carries what stood there when it was made (``was``).  So the newer value is taken of a field
that was left alone, and only what the second one typed is put before them.
"""

from __future__ import annotations

import json
from typing import Any

from .forms import VersionedForm


def remember(form: VersionedForm) -> None:
    """Let the form carry the values that it has now."""
    form.was.data = json.dumps({field.name: _text(field) for field in form.visible()})


def merge(mine: VersionedForm, theirs: VersionedForm) -> list[tuple[str, str, str]]:
    """Take ``theirs`` in each field of ``mine`` that was left alone, and go on from there.

    Returned are label, what was typed, and what is stored now, of the others that differ.
    """
    was = _carried(mine)
    differences = []
    for field in mine.visible():
        other = theirs[field.name]
        if _text(field) == was.get(field.name):
            field.data, field.raw_data = other.data, None  # else what was sent is shown again
        elif _text(field) != _text(other):
            differences.append((field.label.text, _shown(field), _shown(other)))
    remember(theirs)
    mine.was.data = theirs.was.data
    return differences


def _carried(form: VersionedForm) -> dict[str, Any]:
    """Nothing if somebody made it up: then all that differs is put before them."""
    try:
        was = json.loads(form.was.data or "{}")
    except ValueError:
        return {}
    return was if isinstance(was, dict) else {}


def _text(field: Any) -> str:
    return "" if field.data is None else str(field.data)


def _shown(field: Any) -> str:
    """As people read it."""
    if hasattr(field, "iter_choices"):
        return next((str(choice[1]) for choice in field.iter_choices() if choice[2]), "")
    return _text(field)
