"""A book with a few writes in it, and the rows that they would leave."""

from __future__ import annotations

from typing import Any

from bazanite_demo.load.book import Book, Write
from bazanite_demo.load.verdict import Found, Problem, judge

Row = dict[str, Any]


class Story:
    """Writes as the clients would send them, and what is stored, which a test may then spoil."""

    def __init__(self) -> None:
        self.book = Book()
        self.tasks: list[Row] = []
        self.comments: list[Row] = []

    def task(self, item: str = "Traffic 0-1") -> Row:
        """A new one, acknowledged and stored."""
        write = self.book.begin("task", item)
        row = {"id": len(self.tasks) + 1, "version": 1, **write.values}
        self.tasks.append(row)
        self.book.acknowledge(write, row["id"])
        return row

    def edit(self, row: Row) -> Write:
        """One that was sent."""
        return self.book.begin("edit", item_of(row), base=row["version"])

    def store(self, write: Write, row: Row) -> None:
        """What it changes is in the row from now on."""
        row.update(write.values, version=write.version)

    def edited(self, row: Row) -> Write:
        """An edit, acknowledged and stored."""
        write = self.edit(row)
        self.store(write, row)
        self.book.acknowledge(write)
        return write

    def comment(self, row: Row, *, stored: bool = True) -> Row:
        """One on this task, acknowledged and stored, or else in doubt."""
        write = self.book.begin("comment", "somebody", task=item_of(row))
        comment = {"id": len(self.comments) + 1, "task": row["id"], **write.values}
        if stored:
            self.comments.append(comment)
            self.book.acknowledge(write, comment["id"])
        else:
            self.book.doubt(write)
        return comment

    def delete(self, row: Row) -> Write:
        """One that was sent."""
        return self.book.begin("delete", item_of(row), base=row["version"])

    def found(self) -> Found:
        """What a look at the data gives now."""
        return Found(self.tasks, self.comments)

    def judged(self) -> list[Problem]:
        """What is wrong, with all that is acknowledged until now to be there."""
        return judge(self.book.writes(), self.book.acknowledged(), self.found())

    def kinds(self) -> list[str]:
        """The same, in a word each."""
        return [problem.kind for problem in self.judged()]


def item_of(row: Row) -> str:
    return str(row["title"]).rpartition(" #")[0]
