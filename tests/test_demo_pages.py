"""The demo's pages: what they show, save and refuse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bazanite import (
    DB,
    CommittedNotApplied,
    CommitUncertain,
    DBError,
    DirectoryError,
    InconsistentDataError,
    PoisonedError,
)
from bazanite_demo.editing import now
from bazanite_demo.listing import PAGE_ROWS
from bazanite_demo.noted import NotedDB
from demo_support import Page, page, send, served, state

ADDRESSES = [
    "/", "/tasks", "/tasks?status=late&sort=-title", "/tasks/3", "/tasks/3/edit", "/tasks/3/delete",
    "/tasks/new", "/tasks/new?project=2", "/tasks/3/comments/new", "/comments/2/edit",
    "/comments/2/delete", "/projects", "/projects/1", "/projects/new", "/projects/1/edit",
    "/projects/1/delete", "/users", "/users/1", "/users/new", "/users/1/edit", "/users/1/delete",
    "/search", "/search?q=the", "/search?q=the&in=tasks", "/search?q=nowhere",
]  # fmt: skip


@pytest.fixture
def db(demo: tuple[DB, Flask]) -> DB:
    """The one with the sample; all other tests mean an empty one by this name."""
    return demo[0]


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


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.2:8000", "[::1]:8000"])
def test_it_answers_to_the_names_of_this_machine(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "192.0.2.1", "localhost.evil.example", "[2001:db8::1]", "[", ""]
)
def test_it_answers_to_no_other_name(client: FlaskClient, host: str) -> None:
    response = client.get("/", headers={"Host": host})
    assert response.status_code == 400
    assert "<h1>Overview" not in response.text


@pytest.mark.parametrize(
    "error,title",
    [
        (CommitUncertain("perhaps"), "Perhaps saved"),
        (CommittedNotApplied("later"), "Saved, and not shown yet"),
        (PoisonedError("a sync failed"), "Out of service"),
        (DirectoryError("no room"), "Not done"),
        (InconsistentDataError("tasks.dat", 3, "a number", "NULL"), "Not done"),
    ],
)
@pytest.mark.parametrize("address", ["/tasks/3/edit", "/users/4/delete", "/users/new"])
def test_what_the_database_could_not_do_is_told_as_it_is(
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
    error: DBError,
    title: str,
) -> None:
    def fail(*_args: object) -> None:
        raise error

    form = page(client.get(address))
    for name in ("insert", "update_by_id", "delete_by_id"):
        monkeypatch.setattr(NotedDB, name, fail)
    typed = {"name": "A", "email": "a@example.org"} if address == "/users/new" else {}
    response = send(client, address, typed, form=form)
    assert response.status_code == 500
    assert page(response).all("h1") == [({}, title)]
    assert error.message in page(response).text


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
