"""What is stored, held against what was sent and what of it was acknowledged.  Pure.

``floor`` is what was acknowledged before the data was read, the writes are as the book has them
afterwards: in between, clients go on.  So of what is in the floor nothing may be missing, what was
sent besides may be there, whole, and nothing else may.  When all clients have stopped the two are
the same moment, and the comparison is exact but for writes in doubt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .book import Write, item_of_comment, item_of_task

Row = Mapping[str, Any]
TASK_FIELDS = ("title", "description", "status", "priority", "hours")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it must be."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(slots=True)
class Found:
    """One state of the data: the rows of the traffic, and all others by table and id.

    ``comment_counts`` is what the database counts of each task by its index, if it was asked.
    """

    tasks: Sequence[Row]
    comments: Sequence[Row]
    others: Mapping[tuple[str, int], Row] = field(default_factory=dict)
    comment_counts: Mapping[int, int] | None = None


def judge(
    writes: Iterable[Write],
    floor: frozenset[int],
    found: Found,
    others: Mapping[tuple[str, int], Row] | None = None,
) -> list[Problem]:
    """All that is wrong; ``others`` is what the rows that nobody touches were before."""
    by_item: dict[str, list[Write]] = {}
    for write in writes:
        by_item.setdefault(write.item, []).append(write)
    tasks = _grouped(found.tasks, lambda row: item_of_task(row["title"]))
    comments = _grouped(found.comments, lambda row: item_of_comment(row["text"]))
    problems: list[Problem] = []
    for item, of_item in by_item.items():
        if of_item[0].kind == "comment":
            (comment,) = of_item
            deletes = [w for w in by_item[comment.task] if w.kind == "delete"]
            task_ids = {w.pk for w in by_item[comment.task] if w.pk}
            rows = comments.get(item, [])
            problems += _judge_comment(comment, rows, deletes, task_ids, floor)
        else:
            problems += _judge_task(item, of_item, tasks.get(item, []), floor)
    for kind, groups in (("task", tasks), ("comment", comments)):
        problems += [
            Problem("unasked for", f"{kind} {row['id']}, {item!r}: nobody sent it")
            for item, rows in groups.items()
            if item not in by_item
            for row in rows
        ]
    if others is not None:
        problems += _judge_others(others, found.others)
    return problems + _judge_counts(found)


def stored_of(writes: Iterable[Write], found: Found) -> set[int]:
    """The numbers of those writes that show: an edit does until the next one."""
    titles = {row["title"] for row in found.tasks}
    items = {item_of_task(title) for title in titles}
    comments = {row["text"] for row in found.comments}
    return {
        write.number
        for write in writes
        if (write.kind == "delete" and write.item not in items)
        or (write.kind == "task" and write.item in items)
        or (write.kind == "edit" and write.values["title"] in titles)
        or (write.kind == "comment" and write.values["text"] in comments)
    }


def _judge_task(
    item: str, writes: list[Write], rows: list[Row], floor: frozenset[int]
) -> list[Problem]:
    deletes = [w for w in writes if w.kind == "delete" and w.state != "refused"]
    stored = [w for w in writes if w.kind != "delete" and w.state != "refused"]
    certain: dict[int, Write] = {}
    problems = []
    for write in stored:
        if write.number in floor:
            if write.version in certain:
                text = f"{item!r}: two edits were acknowledged for version {write.base}"
                problems.append(Problem("overwritten", text))
            certain[write.version] = write
    if not rows:
        if certain and not deletes:
            last = certain[max(certain)]
            problems.append(Problem("lost", f"task {last.values['title']!r} is not there"))
        return problems
    if len(rows) > 1:
        problems.append(Problem("twice", f"task {item!r} is there {len(rows)} times"))
    row = rows[0]
    if any(w.number in floor for w in deletes):
        problems.append(Problem("came back", f"task {row['title']!r} was deleted"))
    ids = {w.pk for w in stored if w.pk}
    if ids and row["id"] not in ids:
        problems.append(Problem("changed", f"task {item!r} was {ids}, and is {row['id']} now"))
    return problems + _judge_version(item, stored, certain, row)


def _judge_version(
    item: str, stored: list[Write], certain: dict[int, Write], row: Row
) -> list[Problem]:
    version = row["version"]
    acknowledged = max(certain, default=0)
    if version < acknowledged:
        what = certain[acknowledged].values["title"]
        text = f"{what!r}, version {acknowledged}, is version {version} again: {row['title']!r}"
        return [Problem("lost", text)]
    possible = {
        number: [certain[number]]
        if number in certain
        else [w for w in stored if w.version == number]
        for number in range(1, version + 1)
    }
    problems = [
        Problem("unasked for", f"{item!r}: nobody sent version {number} of {version}")
        for number, candidates in possible.items()
        if not candidates
    ]
    values = _values(row)
    candidates = possible.get(version, [])
    if candidates and all(w.values != values for w in candidates):
        kind = "half" if _is_mixture(values, stored) else "changed"
        shown = " or ".join(repr(w.values["title"]) for w in candidates)
        text = f"version {version}, {shown}, reads {values}"
        problems.append(Problem(kind, text))
    return problems


def _judge_comment(
    write: Write,
    rows: list[Row],
    deletes: list[Write],
    task_ids: set[int],
    floor: frozenset[int],
) -> list[Problem]:
    """``deletes`` is of its task: it goes with that."""
    if not rows:
        gone = any(w.state != "refused" for w in deletes)
        if write.number in floor and not gone:
            return [Problem("lost", f"comment {write.item!r} is not there")]
        return []
    problems = []
    if len(rows) > 1:
        problems.append(Problem("twice", f"comment {write.item!r} is there {len(rows)} times"))
    if any(w.number in floor for w in deletes):
        problems.append(Problem("came back", f"comment {write.item!r}, its task was deleted"))
    row = rows[0]
    if row["text"] != write.values["text"]:
        problems.append(Problem("changed", f"comment {write.item!r} reads {row['text']!r}"))
    if row["task"] not in task_ids:
        text = f"comment {write.item!r} is on task {row['task']}, and was sent to {task_ids}"
        problems.append(Problem("changed", text))
    if write.pk and row["id"] != write.pk:
        text = f"comment {write.item!r} was {write.pk}, and is {row['id']} now"
        problems.append(Problem("changed", text))
    return problems


def _judge_others(
    before: Mapping[tuple[str, int], Row], now: Mapping[tuple[str, int], Row]
) -> list[Problem]:
    problems = []
    for key in sorted(before.keys() | now.keys()):
        name = f"{key[0]} {key[1]}"
        if key not in now:
            problems.append(Problem("lost", f"{name}, which nobody touched"))
        elif key not in before:
            problems.append(Problem("unasked for", f"{name}: nobody sent it"))
        elif before[key] != now[key]:
            text = f"{name}, which nobody touched: {before[key]} reads {now[key]}"
            problems.append(Problem("changed", text))
    return problems


def _judge_counts(found: Found) -> list[Problem]:
    if found.comment_counts is None:
        return []
    counted = Counter(row["task"] for row in found.comments)
    ours = {row["id"] for row in found.tasks} | counted.keys()
    return [
        Problem("counted", f"task {pk}: {found.comment_counts.get(pk, 0)} comments, {counted[pk]}")
        for pk in sorted(ours)
        if found.comment_counts.get(pk, 0) != counted[pk]
    ]


def _is_mixture(values: dict[str, Any], stored: list[Write]) -> bool:
    """Whether each field is as some write of this row had it."""
    return all(any(w.values[name] == values[name] for w in stored) for name in TASK_FIELDS)


def _values(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in TASK_FIELDS}


def _grouped(rows: Sequence[Row], item: Any) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(item(row), []).append(row)
    return groups
