"""What the demo tells about itself: the calls of a page, their log positions, the bytes of rows."""

from __future__ import annotations

import re
from datetime import date
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from bazanite import COUNT, DB, EQ, Changes, InverseCount, Join
from bazanite_demo.noted import LONGEST_VALUE, NotedDB, noted, source
from bazanite_demo.pages.search import marked
from bazanite_demo.stored import Files
from demo_support import page, send


@pytest.mark.parametrize(
    "value,text",
    [
        ("x" * LONGEST_VALUE, repr("x" * LONGEST_VALUE)),
        ("x" * (LONGEST_VALUE + 1), repr("x" * (LONGEST_VALUE - 1) + "…")),
        ({"due": date(2026, 1, 2), "n": None}, "{'due': datetime.date(2026, 1, 2), 'n': None}"),
        (["-due", "id"], "['-due', 'id']"),
        (EQ(project=3) & ~EQ(status="done"), "EQ(project=3) & ~EQ(status='done')"),
        ({"count": COUNT()}, "{'count': COUNT()}"),
        (Join("owner", "by", "users"), "Join('owner', 'by', 'users')"),
        (
            Join("task", "task", "tasks", joins=[Join("project", "project", "projects")]),
            "Join('task', 'task', 'tasks', joins=[Join('project', 'project', 'projects')])",
        ),
        (
            InverseCount("task", "n", "comments", through=[("project", "tasks")]),
            "InverseCount('task', 'n', 'comments', through=[('project', 'tasks')])",
        ),
    ],
)
def test_a_call_is_written_as_a_program_would(value: object, text: str) -> None:
    assert source(value) == text


def test_a_page_tells_its_calls_and_the_state_that_they_saw(demo: tuple[DB, Flask]) -> None:
    db, app = demo
    found = page(app.test_client().get("/tasks/3"))
    (summary,) = found.all("summary")
    assert re.fullmatch(r"How it works: 4 calls, \d+\.\d ms", summary[1])
    calls = [code for _, code in found.all("code")]
    assert (
        "db.find_by_id('tasks', 3, joins=[Join('project', 'project', 'projects'),"
        " Join('assignee', 'assignee', 'users')])  # 1 row"
    ) in calls
    assert "db.count('comments', EQ(task=3))" in calls
    db.find_by_id("tasks", 3)
    numbers = [text for _, text in found.all("td", _class="number")]
    assert numbers[::2] == [f"{db.read_lsn:,}"] * 4
    assert all(float(text) > 0 for text in numbers[1::2])


def test_the_page_behind_a_form_tells_what_that_did(demo: tuple[DB, Flask], tmp_path: Path) -> None:
    _, app = demo
    client = app.test_client()
    with Changes(tmp_path / "tables") as changes:
        list(changes.read())
        response = send(client, "/tasks/3/edit", {"title": "Write the second program"})
        (commit,) = changes.read()
    found = page(client.get(response.location))
    assert "The form that you sent" in found.text
    calls = [code for _, code in found.all("code")]
    begun = calls.index("with db.transaction():")
    assert "db.find_by_id('tasks', 3)" in calls[begun + 1]
    assert "db.update_by_id('tasks', 3, {'title': 'Write the second program'" in calls[begun + 2]
    assert f"{commit.lsn:,}" in [text for _, text in found.all("td", _class="number")]
    assert "The form that you sent" not in page(client.get("/tasks/3")).text


def test_a_transaction_that_was_rolled_back_is_told_so(demo: tuple[DB, Flask]) -> None:
    _, app = demo
    client = app.test_client()
    form = page(client.get("/tasks/3/edit"))
    send(client, "/tasks/3/edit", {"title": "Other"})
    found = page(send(client, "/tasks/3/edit", {"title": "Mine"}, form=form))
    assert "with db.transaction():  # rolled back" in [code for _, code in found.all("code")]


def test_rows_are_shown_as_they_lie_in_the_files(demo: tuple[DB, Flask], tmp_path: Path) -> None:
    db, app = demo
    client = app.test_client()
    db.delete_by_id("comments", 2)
    send(client, "/tasks/3/comments/new", {"text": "in the deleted one's place\r\nżółw"})
    found = page(client.get("/tasks/3"))
    shown = [text for attributes, text in found.all("pre") if attributes.get("class") != "text"]
    names = [attributes["aria-label"] for attributes, _ in found.all("pre")]
    assert names.count("comments.dat, slot 1") == 1
    raw = {
        name: (tmp_path / "tables" / f"{name}.dat").read_text("utf-8").splitlines()
        for name in ("tasks", "projects", "users", "comments")
    }
    lines = [line.replace("\0", "∅").strip() for table in raw.values() for line in table]
    assert len(shown) >= 4
    assert set(shown) <= set(lines)
    assert raw["tasks"][2].strip() in shown
    assert raw["comments"][1].strip() in shown
    texts = [text for attributes, text in found.all("pre") if attributes.get("class") == "text"]
    assert "34       in the deleted one's place↵żółw" in texts


def test_fields_have_their_widths_and_a_row_its_place(demo: tuple[DB, Flask]) -> None:
    db, _ = demo
    (row,) = Files(db.storage.base_dir).rows([("users", 5)])
    assert (row.name, row.slot) == ("users.dat", 4)
    size = db.tables["users"].row_size
    assert row.offset == 4 * size
    assert [(piece.name, len(piece.text.encode())) for piece in row.pieces] == [
        ("id", 9), ("name", 40), ("email", 80), ("role", 8), ("version", 9),
    ]  # fmt: skip
    assert sum(len(piece.text.encode()) for piece in row.pieces) + 1 == size


def test_a_row_that_went_meanwhile_is_left_out(demo: tuple[DB, Flask]) -> None:
    db, _ = demo
    db.delete_by_id("comments", 1)
    wanted = [("comments", 1), ("comments", 2), ("comments", 10_000_000)]
    assert [row.slot for row in Files(db.storage.base_dir).rows(wanted)] == [1]


def test_notes_belong_to_a_request(demo: tuple[DB, Flask]) -> None:
    db, app = demo
    handle = NotedDB(db)
    handle.find("users")
    with app.test_request_context():
        assert noted().calls == []
        handle.find("users", limit=1, fields=["name"])
        with handle.transaction():
            handle.insert("users", {"name": "A", "email": "a@example.org", "role": "member"})
        assert [(call.text, call.depth, call.found) for call in noted().calls] == [
            ("db.find('users', limit=1, fields=['name'])", 0, 1),
            ("with db.transaction():", 0, None),
            (
                "db.insert('users', {'name': 'A', 'email': 'a@example.org', 'role': 'member'})",
                1,
                None,
            ),
        ]
        assert list(noted().rows) == [("users", 6)]
    with app.test_request_context():
        assert noted().calls == []


@given(st.text(max_size=300), st.text(min_size=1, max_size=4))
def test_marks_change_nothing_of_the_text(value: str, text: str) -> None:
    shown = unescape(re.sub(r"</?mark>", "", str(marked(value, text))))
    shown = shown.removeprefix("… ") if not value.startswith("… ") else shown
    shown = shown.removesuffix(" …") if len(value) > len(shown) - 2 else shown
    assert shown in value
    if len(value) <= 60:
        assert shown == value


@pytest.mark.parametrize("found", [b"{", b"\xff", None])
def test_a_catalog_that_is_changed_just_then_leaves_the_rows_out(
    tmp_path: Path, found: bytes | None
) -> None:
    if found is not None:
        (tmp_path / "schema.json").write_bytes(found)
    assert Files(str(tmp_path)).rows([("tasks", 1)]) == []
