"""The demo's pages: what they show, save and refuse."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bazanite import DB
from bazanite.row import Row
from bazanite_demo.editing import now
from bazanite_demo.listing import PAGE_ROWS
from bazanite_demo.tables import TABLES
from demo_support import Page, page, send, served

ADDRESSES = [
    "/", "/tasks", "/tasks?status=late&sort=-title", "/tasks/3", "/tasks/3/edit", "/tasks/3/delete",
    "/tasks/new", "/tasks/new?project=2", "/tasks/3/comments/new", "/comments/2/edit",
    "/comments/2/delete", "/projects", "/projects/1", "/projects/new", "/projects/1/edit",
    "/projects/1/delete", "/users", "/users/1", "/users/new", "/users/1/edit", "/users/1/delete",
    "/search", "/search?q=the", "/search?q=the&in=tasks", "/search?q=nowhere",
]  # fmt: skip


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[DB, Flask]]:
    with served(tmp_path / "tables") as made:
        yield made


@pytest.fixture
def db(demo: tuple[DB, Flask]) -> DB:
    return demo[0]


@pytest.fixture
def client(demo: tuple[DB, Flask]) -> FlaskClient:
    return demo[1].test_client()


def state(db: DB) -> dict[str, list[Row]]:
    return {table: db.find(table, order_by="id") for table in sorted(db.tables)}


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_can_be_used_by_everybody(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 200
    found = page(response)
    assert found.all("html")[0][0]["lang"] == "en"
    assert len(found.all("h1")) == 1
    assert len(found.all("title")[0][1]) > len(" · Tasks on Bazanite")
    assert found.all("a", _class="skip", href="#main")
    assert found.all("main", _id="main")
    assert found.all("script") == []
    assert not [attributes for _, attributes, _ in found.elements if "style" in attributes]
    ids = [attributes["id"] for _, attributes, _ in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes["for"] for attributes, text in found.all("label") if text}
    for tag, attributes, text in found.elements:
        if tag in ("select", "textarea") or (tag == "input" and attributes.get("type") != "hidden"):
            assert attributes["id"] in labelled, attributes
        elif tag in ("a", "button"):
            assert "".join(text).strip() or attributes.get("aria-label"), attributes
        elif tag == "table":
            assert found.all("th", scope="col")
    for other in ("aria-labelledby", "aria-describedby"):
        assert {
            attributes[other] for _, attributes, _ in found.elements if other in attributes
        } <= {*ids}


def test_every_link_leads_somewhere(client: FlaskClient) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting:
        address = waiting.pop()
        if address in seen or address.startswith("/static/"):
            continue
        seen.add(address)
        response = client.get(address)
        assert response.status_code == 200, address
        links = [attributes["href"].partition("#")[0] for attributes, _ in page(response).all("a")]
        waiting += [link for link in links if link]
        assert all(link == "" or link.startswith("/") for link in links), address
    assert len(seen) > 100
    with client.get("/static/style.css") as style:
        assert style.status_code == 200


def test_every_answer_is_locked_down(client: FlaskClient) -> None:
    for response in (client.get("/"), client.get("/nowhere"), client.post("/tasks/new")):
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Cache-Control"] == "no-store"
    response = client.get("/tasks/new")
    assert "HttpOnly" in response.headers["Set-Cookie"]
    assert "SameSite=Lax" in response.headers["Set-Cookie"]
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 400


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
        ("/tasks/new", {"hours": "many"}, "hours", "Not a valid integer"),
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


def test_who_saves_second_is_told_what_the_other_saved(client: FlaskClient, db: DB) -> None:
    mine = page(client.get("/tasks/3/edit"))
    assert send(client, "/tasks/3/edit", {"title": "Theirs", "hours": "41"}).status_code == 303
    response = send(client, "/tasks/3/edit", {"title": "Mine", "assignee": "2"}, form=mine)
    assert response.status_code == 409
    conflict = page(response)
    assert "Somebody saved this while you were editing" in conflict.text
    differences = [text for _, text in conflict.all("td")[:6]]
    assert differences == ["Mine", "Theirs", "Grace Hopper", "Ada Lovelace", "40", "41"]
    row = db.find_by_id("tasks", 3)
    assert row is not None
    assert (row["title"], row["version"]) == ("Theirs", 2)
    assert send(client, "/tasks/3/edit", {}, form=conflict).status_code == 303
    row = db.find_by_id("tasks", 3)
    assert row is not None
    assert (row["title"], row["assignee"], row["hours"], row["version"]) == ("Mine", 2, 40, 3)


def test_who_saves_what_was_deleted_meanwhile_is_told(client: FlaskClient, db: DB) -> None:
    form = page(client.get("/comments/2/edit"))
    db.delete_by_id("comments", 2)
    response = send(client, "/comments/2/edit", {"text": "Late"}, form=form)
    assert response.status_code == 404
    assert db.find_by_id("comments", 2) is None


@pytest.mark.parametrize("version", ["", "0", "x", "-1", "99999999999", "2"])
def test_a_version_that_nobody_was_given_is_a_conflict(
    client: FlaskClient, db: DB, version: str
) -> None:
    before = state(db)
    assert send(client, "/tasks/3/edit", {"version": version}).status_code == 409
    assert state(db) == before


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
    assert "It is needed" in page(response).text
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


@pytest.mark.parametrize(
    "address", [one for one in ADDRESSES if re.search(r"/(new|edit|delete)$", one)]
)
def test_no_form_is_taken_from_elsewhere(client: FlaskClient, db: DB, address: str) -> None:
    before = state(db)
    values = page(client.get(address)).values()
    for token in ({}, {"csrf_token": "x"}):
        response = client.post(address, data={**values, "csrf_token": "", **token})
        assert response.status_code == 400
        assert "reload the page" in page(response).text
    assert state(db) == before


def test_nothing_that_was_typed_becomes_markup(client: FlaskClient) -> None:
    evil = "<script>alert('1')</script>\"'&"
    send(client, "/users/new", {"name": evil, "email": "e@example.org"})
    send(client, "/projects/new", {"name": evil, "owner": "6", "description": evil})
    send(client, "/tasks/new?project=5", {"title": evil, "assignee": "6", "description": evil})
    send(client, "/tasks/14/comments/new", {"author": "6", "text": evil})
    for address in (
        "/", "/tasks", "/tasks/14", "/tasks/14/edit", "/projects", "/projects/5", "/users",
        "/users/6", "/users/6/delete", "/comments/7/delete", "/search?q=<SCRIPT>",
        "/search?q=<script>&in=tasks",
        f"/search?q={evil}", f"/nowhere{evil}",
    ):  # fmt: skip
        found = page(client.get(address))
        assert found.all("script") == []
        assert address.startswith("/nowhere") or "alert(" in found.text, address


@pytest.mark.parametrize(
    "text,kinds",
    [
        ("ŚWIĄTEK", {"Users (1)"}),
        ("bernoulli", {"Tasks (1)"}),
        ("BRASS", {"Projects (1)", "Tasks (1)", "Comments (1)"}),
        ("example.ORG", {"Users (5)"}),
        ("%", set()),
        ("[a-z]", set()),
    ],
)
def test_a_search_looks_everywhere_whatever_the_case(
    client: FlaskClient, text: str, kinds: set[str]
) -> None:
    found = page(client.get("/search", query_string={"q": text}))
    sections = {title for _, title in found.all("h2") if re.search(r"\(\d+\)$", title)}
    assert sections == kinds
    marked = [mark for _, mark in found.all("mark")]
    assert bool(marked) == bool(kinds)
    assert {mark.lower() for mark in marked} <= {text.lower()}


def test_a_list_is_paged_and_sorted_and_every_row_comes_once(client: FlaskClient, db: DB) -> None:
    time = now()
    db.insert_many(
        "tasks",
        [
            {
                "title": f"Task {n % 7}", "project": 1 + n % 4, "assignee": None, "status": "todo",
                "priority": 1 + n % 3, "due": None, "hours": None, "created": time,
                "changed": time, "description": "same",
            }
            for n in range(2 * PAGE_ROWS)
        ],
    )  # fmt: skip
    for start, field in (
        ("/tasks?sort=title", "title"),
        ("/tasks?sort=-priority", "-priority"),
        ("/search?q=same&in=tasks", "title"),
    ):
        wanted = [
            f"/tasks/{row['id']}"
            for row in db.find("tasks", order_by=[field, "-id" if field[0] == "-" else "id"])
            if "search" not in start or row["description"] == "same"
        ]
        assert _walk(client, start) == wanted


def _walk(client: FlaskClient, address: str) -> list[str]:
    """The tasks of all pages of a list, by following its links."""
    found: list[str] = []
    while address:
        shown = page(client.get(address))
        links = [one["href"] for one, _ in shown.all("a")]
        found += dict.fromkeys(link for link in links if re.fullmatch(r"/tasks/\d+", link))
        following = [one["href"] for one, _ in shown.all("a", rel="next")]
        address = following[0] if following else ""
    return found


@pytest.mark.parametrize(
    "query", ["sort=nonsense", "sort=-", "page=0", "page=-3", "page=x", "page=99"]
)
def test_an_address_that_asks_for_no_such_page_gets_a_near_one(
    client: FlaskClient, query: str
) -> None:
    found = page(client.get(f"/tasks?{query}"))
    assert "13 tasks" in found.text
    assert len(found.all("tbody")) >= 1


@pytest.mark.parametrize("address", ["/tasks/999", "/tasks/0", "/users/1000000000000/edit", "/x"])
def test_what_is_not_there_is_said_kindly(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 404
    assert page(response).all("a", href="/")


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


def test_an_empty_directory_can_be_filled_by_hand(tmp_path: Path) -> None:
    with served(tmp_path / "tables", sample=False) as (db, app):
        client = app.test_client()
        for address in ("/", "/tasks", "/projects", "/users", "/search?q=a", "/tasks/new"):
            assert client.get(address).status_code == 200
        response = send(client, "/tasks/new", {"title": "No project yet"})
        assert response.status_code == 422
        send(client, "/users/new", {"name": "Ada", "email": "ada@example.org"})
        send(client, "/projects/new", {"name": "First", "owner": "1"})
        assert send(client, "/tasks/new", {"title": "One", "project": "1"}).status_code == 303
        assert db.count("tasks") == 1


def test_a_page_is_taken_apart_as_browsers_do() -> None:
    shown = Page('<select name="a"><option value="1">x<option selected value="2">y</select>')
    assert shown.values() == {"a": "2"}
