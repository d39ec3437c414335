"""Any row at all, stored in a real directory: what the commands print of it finds it again."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bazanite import DB
from cli_support import run

TEXTS = st.text(st.characters(codec="utf-8"), max_size=6).map(lambda t: t.lstrip("\0").rstrip(" "))
ODD = st.sampled_from(["NULL", '"', '""', "a,b", "a=b", "<", "is null", "\\n", "\u202e", "\u6771"])
DOCUMENTS = st.recursive(
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS | ODD,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
SHORT = (TEXTS | ODD).filter(lambda text: len(text.encode()) <= 20)
ROWS = st.fixed_dictionaries(
    {"name": SHORT, "paid": st.booleans()},
    optional={
        "city": st.integers(1, 2),
        "age": st.integers(-99, 999),
        "due": st.dates(),
        "at": st.datetimes(),
        "seen": st.datetimes(timezones=st.just(UTC)),
        "owes": st.decimals(-(10**6), 10**6, places=2).map(lambda d: d + 0),
        "note": TEXTS | ODD,
        "photo": st.binary(max_size=6),
        "extra": DOCUMENTS,
    },
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=ROWS)
def test_a_stored_row_is_found_by_all_that_is_printed_of_it(
    values: dict[str, Any], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with DB.open(data) as db:
        row = dict(db.insert("person", values))
    pk = row["id"]
    code, out, _ = run(capsys, "get", data, "person", pk)
    lines = out.splitlines()
    assert (code, len(lines)) == (0, len(row))
    shown = {line.split(" ", 1)[0]: line[7:] for line in lines}
    assert [*shown] == [*row]
    words = [f"{name}={text}" for name, text in shown.items()]
    code, out, _ = run(capsys, "find", data, "person", *words, "--jsonl")
    assert (code, out.count("\n")) == (0, 1)
    assert json.loads(out)["id"] == pk
    # and another one stored of what was printed is the same
    code, _, err = run(capsys, "insert", data, "person", *words[1:])
    assert (code, err) == (0, "")
    with DB.open(data) as db:
        copy = dict(db.find("person", order_by="-id", limit=1)[0])
    assert copy == {**row, "id": copy["id"]}
