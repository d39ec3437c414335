"""One row of built-in types as bytes: code compiled from the schema, as one would write it by hand.

Pure.  Called for every single insert and update, so it is one function without a loop.

Invariant: for plain values it gives what the careful path through ``Schema`` gives; for all others
it returns None.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from . import textfile
from .fields import CHAR, INT, TEXT, TEXT_WIDTH, Field, FieldType, LongType
from .generated import code_of
from .moments import BOOL, DATE
from .row import Row


def compiled(schema: Sequence[Field]) -> dict[str, Any]:
    """``one`` and ``rows``, as a program would write them for this schema by hand."""
    checks: list[str] = []
    scope: dict[str, Any] = {"Row": Row, "encode_text": textfile.encode, "date": date}
    for _, kind in schema:
        if isinstance(kind, INT):  # by name: such numbers may have more digits than Python reads
            size = kind.size
            scope |= {f"low{size}": -(10 ** (size - 1)), f"high{size}": 10**size}
    given: list[str] = []
    for place, (name, kind) in enumerate(schema):
        if name == "id":
            given.append("pk")
            continue
        scope[f"null{place}"] = kind.serialize(None)
        scope[f"quick{place}"] = getattr(kind, "quick", None)
        checks.append(f"v{place} = get({name!r})")
        checks += _lines(f"v{place}", f"b{place}", place, kind)
        given.append(f"b{place}")
    scope["line"] = (
        b"".join(
            b"%%-%d%c" % (kind.size, ord("d" if name == "id" else "b")) for name, kind in schema
        )
        + b"\n"
    )
    alone: list[str] = []
    for place, (name, kind) in enumerate(schema):
        if name != "id" and not isinstance(kind, LongType):
            alone += _field_lines(place, kind, scope)
    names = [name for name, _ in schema]
    values = ["pk" if name == "id" else f"v{place}" for place, name in enumerate(names)]
    shown = ", ".join(f"{name!r}: {value}" for name, value in zip(names, values, strict=True))
    targets = ", ".join(f"row[{name!r}]" for name in names)
    source = "\n".join(
        [
            "def one(values, pk, end):",
            "    pieces = []",
            "    try:",
            "        get = values.get",
            *(f"        {line}" for line in checks),
            "    except UnicodeEncodeError:",
            "        return None",
            f"    return line % ({', '.join(given)},), Row({{{shown}}}), pieces",
            "def rows(*columns):",
            f"    row = dict.fromkeys({names!r})",
            f"    return [Row(row) for {targets}, in zip(*columns)]",
            *alone,
        ]
    )
    # Nothing of it comes from outside but the field names, as the literals that repr makes.
    exec(code_of(source, "row encoder"), scope)  # noqa: S102
    return scope


def _lines(value: str, data: str, place: int, kind: FieldType) -> list[str]:
    """Code that makes ``data`` of the value of this field of the schema, or returns None."""
    limit = 10**TEXT_WIDTH
    if isinstance(kind, INT):
        low, high = f"low{kind.size}", f"high{kind.size}"
        wanted = [
            f"if type({value}) is not int or not {low} < {value} < {high}: return None",
            f'{data} = b"%d" % {value}',
        ]
    elif isinstance(kind, TEXT):
        wanted = [
            f"if type({value}) is not str: return None",
            f"{data} = {value}.encode()",
            f"if len({data}) >= {limit} or end >= {limit}: return None",
            f"pieces.append(encode_text({data}))",
            f'{data} = b"%d" % end',
            "end += len(pieces[-1])",
        ]
    elif isinstance(kind, CHAR):
        bad = r'(b"\0",)' if place else r'(b"\0", b"*")'
        wanted = [
            f"if type({value}) is not str: return None",
            f"{data} = {value}.encode()",
            f"if len({data}) > {kind.size} or {data}[:1] in {bad}: return None",
            f'{value} = {value}.rstrip(" ")',
        ]
    elif isinstance(kind, BOOL):
        wanted = [
            f"if type({value}) is not bool: return None",
            f'{data} = b"T" if {value} else b"F"',
        ]
    elif isinstance(kind, DATE):
        wanted = [
            f"if type({value}) is not date: return None",
            f"{data} = {value}.isoformat().encode()",
        ]
    else:
        wanted = [
            f"made = quick{place}({value})",
            "if made is None: return None",
            f"{data}, {value} = made",
        ]
        if isinstance(kind, LongType):
            wanted += [
                f"if end >= {limit}: return None",
                f"pieces.append(encode_text({data}))",
                f'{data} = b"%d" % end',
                "end += len(pieces[-1])",
            ]
    if not kind.null:
        return wanted
    otherwise = [f"    {line}" for line in wanted]
    return [f"if {value} is None: {data} = null{place}", "else:", *otherwise]


def _field_lines(place: int, kind: FieldType, scope: dict[str, Any]) -> list[str]:
    """Code of a function of one value alone."""
    scope[f"wide{place}"] = b"%%-%db" % kind.size
    return [
        f"def field{place}(value):",
        "    try:",
        *(f"        {line}" for line in _lines("value", "data", place, kind)),
        "    except UnicodeEncodeError:",
        "        return None",
        f"    return wide{place} % data, value",
    ]
