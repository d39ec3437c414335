"""The demo's forms: what they store, what they refuse, and two people at once."""

from __future__ import annotations

import threading
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bazanite import DB, DirectoryError
from bazanite_demo.tables import TABLES
from demo_support import page, send, served, state


@pytest.fixture
def db(demo: tuple[DB, Flask]) -> DB:
    """The one with the sample; all other tests mean an empty one by this name."""
    return demo[0]


@pytest.mark.parametrize(
    "address,typed,table,stored",
    [
        (
            "/users/new",
            {"name": " Émilie du Châtelet ", "email": "emilie@example.org", "role": "admin"},
            "users",
            {"name": "Émilie du Châtelet", "email": "emilie@example.org", "role": "admin"},
        ),
        (
            "/projects/new",
            {"name": "Principia", "owner": "2", "status": "paused", "due": "2027-02-03"},
            "projects",
            {"name": "Principia", "owner": 2, "status": "paused", "due": date(2027, 2, 3)},
        ),
        (
            "/tasks/new?project=3",
            {
                "title": "Translate", "assignee": "0", "priority": "3", "hours": "7",
                "description": "From Latin.\r\nWith notes: <b>&amp;</b>",
            },
            "tasks",
            {
                "title": "Translate", "project": 3, "assignee": None, "priority": 3, "hours": 7,
                "status": "todo", "due": None,
                "description": "From Latin.\nWith notes: <b>&amp;</b>",
            },
        ),
        (
            "/tasks/2/comments/new",
            {"author": "3", "text": "żółw"},
            "comments",
            {"task": 2, "author": 3, "text": "żółw"},
        ),
    ],
)  # fmt: skip
def test_what_is_typed_is_stored_and_shown(
    client: FlaskClient,
    db: DB,
    address: str,
    typed: dict[str, str],
    table: str,
    stored: dict[str, object],
) -> None:
    before = db.count(table)
    response = send(client, address, typed)
    assert response.status_code == 303
    (row,) = db.find(table, order_by="-id", limit=1)
    assert db.count(table) == before + 1
    assert stored.items() <= row.items()
    assert row["version"] == 1
    shown = page(client.get(response.location))
    assert "Saved." in shown.text
    for value in stored.values():
        if isinstance(value, str) and value not in ("admin", "paused", "todo"):
            assert value in shown.text


@pytest.mark.parametrize(
    "address,typed,field,told",
    [
        ("/users/new", {"name": "  "}, "name", "enter a name"),
        ("/users/new", {"name": "x" * 41}, "name", "it has 41 bytes, and 40 fit"),
        ("/users/new", {"name": "ż" * 21}, "name", "it has 42 bytes, and 40 fit (an accented"),
        ("/users/new", {"name": "a\0b"}, "name", "control characters"),
        ("/users/new", {"email": "ada"}, "email", "such as ada@example.org"),
        ("/users/new", {"email": "ada@example.org"}, "email", "is one with this e-mail already"),
        ("/users/new", {"role": "god"}, "role", "no such choice"),
        ("/projects/new", {"name": "Compiler", "owner": "1"}, "name", "one with this name already"),
        ("/projects/new", {"due": "2027-02-30"}, "due", "Not a valid date"),
        ("/projects/new", {"owner": "99"}, "owner", "no such choice"),
        ("/projects/new", {"owner": "-1"}, "owner", "no such choice"),
        ("/projects/new", {"owner": "٣"}, "owner", "no such choice"),
        ("/tasks/new", {"title": ""}, "title", "enter a title"),
        ("/tasks/new", {"hours": "1000"}, "hours", "from 0 to 999"),
        ("/tasks/new", {"hours": "many"}, "hours", "Please enter whole hours from 0 to 999."),
        ("/tasks/new", {"project": "0"}, "project", "no such choice"),
        ("/tasks/new", {"priority": "4"}, "priority", "no such choice"),
        ("/tasks/new", {"description": "x" * 20_001}, "description", "20,001 characters"),
        ("/tasks/1/comments/new", {"text": " \n"}, "text", "enter a comment"),
        ("/tasks/2/edit", {"title": "x" * 81}, "title", "it has 81 bytes, and 80 fit"),
        ("/projects/2/edit", {"name": "Compiler"}, "name", "one with this name already"),
    ],
)
def test_what_does_not_fit_is_told_beside_its_field(
    client: FlaskClient, db: DB, address: str, typed: dict[str, str], field: str, told: str
) -> None:
    before = state(db)
    good = {"name": "New", "email": "new@example.org", "title": "New", "text": "New"}
    if address.endswith("/new"):
        form = page(client.get(address)).values()
        typed = {**{name: value for name, value in good.items() if name in form}, **typed}
    response = send(client, address, typed)
    assert response.status_code == 422
    found = page(response)
    (wrong,) = [one for _, one, _ in found.elements if one.get("aria-invalid") == "true"]
    assert wrong["id"] == field
    ((_, error),) = found.all("p", _id=wrong["aria-describedby"])
    assert told in error
    assert found.all("a", href=f"#{field}")
    values = found.values()
    for name, value in typed.items():  # nothing that was typed is lost
        if name not in ("owner", "project", "role", "priority"):
            assert values[name].strip() == value.replace("\0", "�").strip() or "\0" in value
    assert state(db) == before


def test_an_address_is_the_same_in_capitals(client: FlaskClient, db: DB) -> None:
    response = send(client, "/users/new", {"name": "New", "email": "ADA@Example.org"})
    assert "There is one with this e-mail already." in page(response).text
    assert db.count("users") == 5


def test_who_saves_second_is_told_what_the_other_saved(client: FlaskClient, db: DB) -> None:
    mine = page(client.get("/tasks/3/edit"))
    assert send(client, "/tasks/3/edit", {"title": "Theirs", "hours": "41"}).status_code == 303
    response = send(client, "/tasks/3/edit", {"title": "Mine", "assignee": "2"}, form=mine)
    assert response.status_code == 409
    conflict = page(response)
    assert "Somebody saved this while you were editing" in conflict.text
    differences = [text for _, text in conflict.all("td", data_label="Yours")]
    assert differences == ["Mine", "Grace Hopper"]
    differences = [text for _, text in conflict.all("td", data_label="Stored now")]
    assert differences == ["Theirs", "Ada Lovelace"]
    row = db.find_by_id("tasks", 3)
    assert row is not None
    assert (row["title"], row["version"]) == ("Theirs", 2)
    assert send(client, "/tasks/3/edit", {}, form=conflict).status_code == 303
    row = db.find_by_id("tasks", 3)
    assert row is not None
    assert (row["title"], row["assignee"], row["hours"], row["version"]) == ("Mine", 2, 41, 3)


@pytest.mark.parametrize("was", ["", "{", "[]", '{"title": 7}', '{"hours": "40"}' * 2])
def test_what_a_form_says_of_the_past_is_not_believed(
    client: FlaskClient, db: DB, was: str
) -> None:
    form = page(client.get("/tasks/3/edit"))
    send(client, "/tasks/3/edit", {"hours": "41"})
    response = send(client, "/tasks/3/edit", {"title": "Mine", "was": was}, form=form)
    assert response.status_code == 409
    assert [text for _, text in page(response).all("td", data_label="Yours")] == ["Mine", "40"]


def test_two_who_changed_different_fields_are_both_heard(client: FlaskClient, db: DB) -> None:
    form = page(client.get("/tasks/3/edit"))
    send(client, "/tasks/3/edit", {"hours": "41", "description": "Theirs,\r\nin two lines"})
    response = send(client, "/tasks/3/edit", {"status": "done"}, form=form)
    assert response.status_code == 409
    conflict = page(response)
    assert [text for _, text in conflict.all("td", data_label="Yours")] == ["Done"]
    assert send(client, "/tasks/3/edit", {}, form=conflict).status_code == 303
    row = db.find_by_id("tasks", 3)
    assert row is not None
    assert (row["status"], row["hours"]) == ("done", 41)
    assert row["description"] == "Theirs,\nin two lines"


def test_who_saves_what_was_deleted_meanwhile_is_told(client: FlaskClient, db: DB) -> None:
    form = page(client.get("/comments/2/edit"))
    db.delete_by_id("comments", 2)
    response = send(client, "/comments/2/edit", {"text": "Late"}, form=form)
    assert response.status_code == 404
    assert "Somebody has deleted it meanwhile." in page(response).text
    assert "Late" in page(response).text  # to be copied: going back would not bring it
    assert db.find_by_id("comments", 2) is None


@pytest.mark.parametrize("version", ["", "0", "x", "-1", "99999999999", "2"])
def test_a_version_that_nobody_was_given_is_a_conflict(
    client: FlaskClient, db: DB, version: str
) -> None:
    before = state(db)
    assert send(client, "/tasks/3/edit", {"version": version}).status_code == 409
    assert state(db) == before


def test_a_title_is_one_line_as_a_row_is(client: FlaskClient, db: DB) -> None:
    assert send(client, "/tasks/3/edit", {"title": "Two\r\nlines\rand\none"}).status_code == 303
    row = db.find_by_id("tasks", 3)
    assert row is not None
    assert row["title"] == "Two lines and one"


def test_what_is_deleted_takes_along_what_the_page_says(client: FlaskClient, db: DB) -> None:
    asked = page(client.get("/projects/1/delete"))
    assert "Its 4 tasks and all comments on them go with it." in asked.text
    assert db.count("projects") == 4
    assert send(client, "/projects/1/delete", {}).status_code == 303
    assert db.find_by_id("projects", 1) is None
    assert db.count("tasks") == 9
    assert [row["task"] for row in db.find("comments", order_by="id")] == [6, 7, 9]


def test_who_owns_a_project_stays_and_others_go(client: FlaskClient, db: DB) -> None:
    response = send(client, "/users/1/delete", {})
    assert response.status_code == 409
    assert "needs another owner" in page(response).text
    assert "owns 1 project, and" in page(client.get("/users/1/delete")).text
    assert send(client, "/users/5/delete", {}).status_code == 303
    assert db.find_by_id("users", 5) is None
    task = db.find_by_id("tasks", 2)
    comment = db.find_by_id("comments", 2)
    assert task is not None
    assert comment is not None
    assert (task["assignee"], comment["author"]) == (None, None)
    assert "Nobody in particular" in page(client.get("/tasks/3")).text


def test_what_was_changed_since_one_looked_is_not_deleted_unasked(
    client: FlaskClient, db: DB
) -> None:
    asked = page(client.get("/tasks/3/delete"))
    send(client, "/tasks/3/edit", {"title": "Needed after all"})
    response = send(client, "/tasks/3/delete", {}, form=asked)
    assert response.status_code == 409
    assert db.find_by_id("tasks", 3) is not None
    assert send(client, "/tasks/3/delete", {}, form=page(response)).status_code == 303
    assert db.find_by_id("tasks", 3) is None


def test_who_does_not_get_the_lock_is_told_to_try_again(tmp_path: Path) -> None:
    with served(tmp_path / "tables", lock_timeout=0.05) as (_, app):
        client = app.test_client()
        form = page(client.get("/users/new"))
        other = DB(TABLES, tmp_path / "tables")
        held, done = threading.Event(), threading.Event()

        def hold() -> None:
            with other.storage.lock():
                held.set()
                done.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        assert held.wait(30)
        response = send(client, "/users/new", {"name": "A", "email": "a@example.org"}, form=form)
        done.set()
        holder.join()
        other.close()
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "1"
        assert "Nothing was saved" in page(response).text
        again = send(client, "/users/new", {"name": "A", "email": "a@example.org"}, form=form)
        assert again.status_code == 303


def test_what_a_form_told_does_not_overflow_its_cookie(client: FlaskClient) -> None:
    text = "".join(chr(0x1F300 + n) for n in range(200))
    for title in (text[:20], "x"):
        response = send(client, "/tasks/new", {"title": title, "project": "1", "description": text})
        assert response.status_code == 303  # the token, which is in the same cookie, was found
        assert len(response.headers["Set-Cookie"]) < 4093
    assert "db.insert('tasks', {'title': 'x'" in page(client.get(response.location)).text


def test_a_reference_to_what_goes_just_then_is_told_beside_its_field(
    client: FlaskClient, db: DB, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = DB.insert

    def gone(self: DB, table: str, values: dict[str, object]) -> object:
        if table == "tasks":
            self.delete_by_id("projects", 1)
        return insert(self, table, values)

    monkeypatch.setattr(DB, "insert", gone)
    response = send(client, "/tasks/new", {"title": "Late", "project": "1"})
    assert response.status_code == 422
    assert "may just have been deleted" in page(response).text
    assert db.find_by_id("projects", 1) is not None  # rolled back with the rest
    assert db.count("tasks") == 13


def test_what_the_database_cannot_do_is_told(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = page(client.get("/users/new"))

    def full(*_: object) -> None:
        raise DirectoryError("no space left")

    monkeypatch.setattr(DB, "insert", full)
    response = send(client, "/users/new", {"name": "A", "email": "a@example.org"}, form=form)
    assert response.status_code == 500
    assert "no space left" in page(response).text
