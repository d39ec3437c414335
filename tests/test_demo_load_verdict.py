"""What the load command calls lost, half, twice or unasked for, and what it lets pass."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import cast

import pytest

from bazanite import DB
from bazanite_demo.load.book import titles
from bazanite_demo.load.reading import found_in
from bazanite_demo.load.verdict import Found, judge, stored_of
from demo_load_support import Story, item_of


@pytest.fixture
def story() -> Story:
    return Story()


def test_what_was_acknowledged_and_is_there_is_fine(story: Story) -> None:
    row = story.task()
    story.edited(row)
    story.comment(row)
    other = story.task("Traffic 0-2")
    story.comment(other)
    story.book.acknowledge(story.delete(other))
    story.tasks.remove(other)
    del story.comments[1]
    assert story.judged() == []


def test_an_acknowledged_task_that_is_not_there_is_lost(story: Story) -> None:
    story.tasks.remove(story.task())
    (problem,) = story.judged()
    assert problem.kind == "lost"
    assert "Traffic 0-1 #1." in str(problem)


def test_an_acknowledged_edit_that_is_undone_is_lost(story: Story) -> None:
    row = story.task()
    before = dict(row)
    story.edited(row)
    row.update(before)
    assert story.kinds() == ["lost"]


def test_an_acknowledged_comment_that_is_not_there_is_lost(story: Story) -> None:
    story.comment(story.task())
    story.comments.clear()
    assert story.kinds() == ["lost"]


@pytest.mark.parametrize(
    "field,value", [("description", "cut"), ("hours", 999), ("status", ""), ("title", None)]
)
def test_a_row_of_the_right_version_that_reads_otherwise_is_changed(
    story: Story, field: str, value: object
) -> None:
    row = story.task()
    row[field] = f"{item_of(row)} #7." if field == "title" else value
    assert story.kinds() == ["changed"]


def test_a_mixture_of_two_writes_is_half_of_each(story: Story) -> None:
    row = story.task()
    before = dict(row)
    story.edited(row)
    row["description"] = before["description"]
    assert story.kinds() == ["half"]


def test_half_of_a_write_in_doubt_is_half_too(story: Story) -> None:
    row = story.task()
    write = story.edit(row)
    story.book.doubt(write)
    row.update(version=write.version, title=write.values["title"])
    assert story.kinds() == ["half"]


@pytest.mark.parametrize("stored", [False, True])
def test_an_edit_in_doubt_may_be_there_or_not(story: Story, stored: bool) -> None:
    row = story.task()
    write = story.edit(row)
    story.book.doubt(write)
    if stored:
        story.store(write, row)
    assert story.judged() == []
    assert (write.number in stored_of(story.book.writes(), story.found())) == stored


@pytest.mark.parametrize("stored", [False, True])
def test_a_new_task_in_doubt_may_be_there_or_not(story: Story, stored: bool) -> None:
    write = story.book.begin("task", "Traffic 0-1")
    story.book.doubt(write)
    if stored:
        story.tasks.append({"id": 5, "version": 1, **write.values})
    assert story.judged() == []


@pytest.mark.parametrize("stored", [False, True])
def test_a_delete_in_doubt_may_have_taken_the_comments_with_it(story: Story, stored: bool) -> None:
    row = story.task()
    story.comment(row)
    story.book.doubt(story.delete(row))
    if stored:
        story.tasks.clear()
        story.comments.clear()
    assert story.judged() == []


def test_a_write_in_doubt_that_somebody_saw_must_stay(story: Story) -> None:
    row = story.task()
    write = story.edit(row)
    story.book.doubt(write)
    story.book.acknowledge(write)
    assert story.kinds() == ["lost"]


def test_of_two_edits_in_doubt_either_may_be_there(story: Story) -> None:
    row = story.task()
    writes = [story.edit(row), story.edit(row)]
    for write in writes:
        story.book.doubt(write)
    story.store(writes[0], row)
    assert story.judged() == []
    row["version"] += 1
    assert story.kinds() == ["unasked for"]


def test_a_refused_edit_must_not_be_there(story: Story) -> None:
    row = story.task()
    write = story.edit(row)
    story.book.refuse(write)
    assert story.judged() == []
    story.store(write, row)
    assert story.kinds() == ["unasked for"]


def test_two_edits_acknowledged_for_one_version_overwrote_each_other(story: Story) -> None:
    row = story.task()
    first, second = story.edit(row), story.edit(row)
    story.store(second, row)
    story.book.acknowledge(first)
    story.book.acknowledge(second)
    assert story.kinds() == ["overwritten"]


def test_the_version_is_one_more_than_the_edits(story: Story) -> None:
    row = story.task()
    story.edited(row)
    row["version"] += 2
    assert story.kinds() == ["unasked for", "unasked for"]


def test_a_row_that_is_there_twice_is_told(story: Story) -> None:
    row = story.task()
    comment = story.comment(row)
    story.tasks.append({**row, "id": 9})
    story.comments.append({**comment, "id": 9})
    assert story.kinds() == ["twice", "twice"]


def test_what_was_deleted_stays_deleted(story: Story) -> None:
    row = story.task()
    story.comment(row)
    story.book.acknowledge(story.delete(row))
    assert story.kinds() == ["came back", "came back"]


def test_what_nobody_sent_is_told(story: Story) -> None:
    row = story.task()
    comment = story.comment(row)
    story.tasks.append({**row, "id": 8, "title": "Traffic 9-9 #1."})
    story.comments.append({**comment, "id": 8, "text": "no\nwords"})
    assert story.kinds() == ["unasked for", "unasked for"]


def test_a_comment_is_as_it_was_sent_and_where_it_was_sent_to(story: Story) -> None:
    row = story.task()
    comment = story.comment(row)
    comment["text"] += "."
    assert story.kinds() == ["changed"]
    comment["text"] = comment["text"][:-1]
    comment["task"] = 77
    assert story.kinds() == ["changed"]
    comment.update(task=row["id"], id=5)
    assert story.kinds() == ["changed"]


def test_a_number_that_two_rows_have_stops_no_look(story: Story) -> None:
    row = {**story.task(), "project": 4}
    double = {**story.task("Traffic 0-2"), "id": row["id"], "project": 4}
    rows = {"tasks": [row, double], "users": [{"id": 1}], "projects": [], "comments": []}
    storage = SimpleNamespace(lock=nullcontext)
    database = SimpleNamespace(storage=storage, find=rows.get, group_by=lambda *_: [])
    found = found_in(cast(DB, database), 4)
    assert dict(found.others) == {("users", 1): {"id": 1}}
    problems = judge(story.book.writes(), story.book.acknowledged(), found)
    assert [problem.kind for problem in problems] == ["changed"]


def test_a_row_keeps_its_number(story: Story) -> None:
    story.task()["id"] = 3
    assert story.kinds() == ["changed"]


def test_a_row_that_nobody_touched_must_be_as_it_was(story: Story) -> None:
    before = {("users", 1): {"id": 1, "name": "Ada"}, ("users", 2): {"id": 2, "name": "Grace"}}
    now = {("users", 1): {"id": 1, "name": "Adb"}, ("users", 3): {"id": 3, "name": "New"}}
    problems = judge([], frozenset(), Found([], [], now), before)
    assert [problem.kind for problem in problems] == ["changed", "lost", "unasked for"]
    assert judge([], frozenset(), Found([], [], before), before) == []


def test_the_database_counts_comments_as_they_are(story: Story) -> None:
    row = story.task()
    story.comment(row)
    for counts, kinds in (({row["id"]: 1}, []), ({row["id"]: 2}, ["counted"]), ({}, ["counted"])):
        found = Found(story.tasks, story.comments, {}, counts)
        problems = judge(story.book.writes(), story.book.acknowledged(), found)
        assert [problem.kind for problem in problems] == kinds


def test_what_was_sent_after_the_floor_was_taken_may_be_there_or_not(story: Story) -> None:
    row = story.task()
    floor = story.book.acknowledged()
    before = dict(row)
    story.edited(row)
    story.comment(row)
    after = story.found()
    assert judge(story.book.writes(), floor, after) == []
    assert judge(story.book.writes(), floor, Found([before], [])) == []
    assert [p.kind for p in judge(story.book.writes(), floor, Found([], []))] == ["lost"]


def test_a_page_shows_what_was_acknowledged_last_or_is_in_doubt_since(story: Story) -> None:
    row = story.task()
    item = item_of(row)
    first = row["title"]
    assert titles(story.book.writes(), item) == {first}
    lost = story.edit(row)
    story.book.doubt(lost)
    assert titles(story.book.writes(), item) == {first, lost.values["title"]}
    second = story.edited(row)
    assert titles(story.book.writes(), item) == {second.values["title"]}
    refused = story.edit(row)
    story.book.refuse(refused)
    assert titles(story.book.writes(), item) == {second.values["title"]}
