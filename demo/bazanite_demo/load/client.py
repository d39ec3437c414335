"""What one person does: reads pages, fills in forms, and looks whether a doubtful one was saved."""

from __future__ import annotations

import re
import threading
from random import Random
from urllib.parse import urlencode

from .book import Book, Write, titles
from .browser import Answer, Broken, Browser, Wrong
from .figures import Figures
from .html import Form, read
from .reading import post_form

PAUSE_SECONDS = 0.01
"""At the most, between two things that a person does; after an error five times as long."""
SHARING_CLIENTS = 2
MEETING_SECONDS = 0.3
TRIES_TO_SAVE = 20
SORTS = ("title", "-title", "status", "-priority", "due", "-due")


class Client:
    """One of several; ``project`` is the traffic's, ``shared`` its task that two of them edit.

    ``meeting`` is where those two wait for each other, to save at the same moment.
    """

    def __init__(
        self,
        number: int,
        browser: Browser,
        book: Book,
        figures: Figures,
        rng: Random,
        *,
        run: str,
        project: int,
        shared: tuple[str, int],
        meeting: threading.Barrier,
    ) -> None:
        self._name = f"Traffic {run} {number}"
        self._sharing = number < SHARING_CLIENTS
        self._browser = browser
        self._book = book
        self._figures = figures
        self._rng = rng
        self._project = project
        self._shared = shared
        self._meeting = meeting
        self._made = 0
        self._own: dict[str, int] = {}
        self._doubtful: list[Write] = []

    def work(self, stop: threading.Event) -> None:
        """Until told to stop; what goes wrong with a request becomes a figure."""
        try:
            while not stop.is_set():
                stop.wait(self._rng.uniform(0, PAUSE_SECONDS if self.step() else 0.05))
        finally:
            self._browser.close()

    def step(self) -> bool:
        """One thing that a person does; False if it went wrong."""
        try:
            while self._doubtful:
                write = self._doubtful.pop()
                try:
                    self._look_for(write)
                except Broken:
                    self._doubtful.append(write)
                    raise
            self._do()
        except Broken:
            pass  # of a killed worker, and counted as that
        except Wrong as error:
            self._figures.error(f"{self._name}: {error}")
            return False
        return True

    def _do(self) -> None:
        what = self._rng.random()
        own = self._rng.choice(sorted(self._own)) if self._own else None
        if self._sharing and self._rng.random() < 0.3:
            self._edit_shared()
        elif own is None or what < 0.2:
            self._new()
        elif what < 0.35:
            self._edit(own)
        elif what < 0.5:
            self._comment(own, self._own[own])
        elif what < 0.53:
            self._delete(own)
        else:
            self._read(own)

    def _read(self, own: str) -> None:
        get, rng = self._browser.get, self._rng
        match rng.randrange(7):
            case 0:
                get("/")
            case 1:
                get(f"/tasks?sort={rng.choice(SORTS)}&page={rng.randint(1, 5)}")
            case 2:
                get(f"/search?{urlencode({'q': rng.choice(['brass', 'MOON', own])})}")
            case 3:
                get("/projects")
            case 4:
                get(f"/projects/{self._project}?sort={rng.choice(SORTS)}")
            case 5:
                get("/users")
            case _:
                self._read_own(own)

    def _read_own(self, own: str) -> None:
        """Whichever process answers, it shows what was acknowledged to us before."""
        expected = titles(self._book.writes_of(own), own)
        shown = self._browser.get(f"/tasks/{self._own[own]}").text
        if not any(title in shown for title in expected):
            title = read(shown).title
            raise Wrong(f"{own!r} shows {title!r}, not {' or '.join(sorted(expected))}")

    # ------------------------------------------------------------------------------ writes

    def _new(self) -> None:
        self._made += 1
        item = f"{self._name}-{self._made}"
        path = f"/tasks/new?project={self._project}"
        form = post_form(self._browser.get(path).text)
        write = self._book.begin("task", item)
        answer = self._send(write, path, form)
        pk = _number(r"/tasks/(\d+)", answer.location)
        self._book.acknowledge(write, pk)
        self._own[item] = pk
        self._browser.get(answer.location)

    def _edit(self, own: str) -> None:
        path = f"/tasks/{self._own[own]}/edit"
        form = post_form(self._browser.get(path).text)
        write = self._book.begin("edit", own, base=_version(form))
        answer = self._send(write, path, form, 303, 409)
        if answer.status == 409:
            self._refused(write)
            return
        self._book.acknowledge(write)
        self._browser.get(answer.location)

    def _delete(self, own: str) -> None:
        pk = self._own[own]
        form = post_form(self._browser.get(f"/tasks/{pk}/delete").text)
        write = self._book.begin("delete", own, base=_version(form))
        answer = self._send(write, f"/tasks/{pk}/delete", form, 303, 409)
        if answer.status == 409:
            self._refused(write)
            return
        self._book.acknowledge(write)
        del self._own[own]
        self._browser.get(answer.location)
        self._browser.get(f"/tasks/{pk}", 404)

    def _comment(self, task: str, pk: int) -> None:
        form = post_form(self._browser.get(f"/tasks/{pk}").text)
        write = self._book.begin("comment", f"{self._name} says", task=task)
        answer = self._send(write, form.action, form)
        self._book.acknowledge(write, _number(r"comment-(\d+)", answer.fragment))
        self._browser.get(answer.location)

    def _edit_shared(self) -> None:
        """Save until nobody else was faster, as a person does who sees what differs."""
        item, pk = self._shared
        path = f"/tasks/{pk}/edit"
        form = post_form(self._browser.get(path).text)
        try:
            self._meeting.wait(MEETING_SECONDS)
        except threading.BrokenBarrierError:
            self._meeting.reset()  # the other one does something else
        for _ in range(TRIES_TO_SAVE):
            write = self._book.begin("edit", item, base=_version(form))
            answer = self._send(write, path, form, 303, 409)
            if answer.status == 303:
                self._book.acknowledge(write)
                self._browser.get(answer.location)
                return
            self._book.refuse(write)
            self._figures.conflicted()
            form = post_form(answer.text)
        raise Wrong(f"{path}: {TRIES_TO_SAVE} conflicts, one after the other")

    def _send(self, write: Write, path: str, form: Form, *expected: int) -> Answer:
        """Post the form with what the write stores; it is in doubt unless answered as expected."""
        values = {name: str(value) for name, value in write.values.items()}
        try:
            return self._browser.post(path, {**form.fields, **values}, *expected)
        except (Broken, Wrong):
            self._book.doubt(write)
            self._doubtful.append(write)
            raise

    def _refused(self, write: Write) -> None:
        """A conflict on a row of ours can only be with a write of ours that was in doubt."""
        self._book.refuse(write)
        doubtful = [
            other
            for other in self._book.writes_of(write.item)
            if other.kind == "edit" and other.state == "doubtful" and other.base == write.base
        ]
        if not doubtful:
            raise Wrong(f"{write.item!r}: a conflict, but nobody else edits it")
        self._doubtful += doubtful

    # ------------------------------------------------------------------------------ doubts

    def _look_for(self, write: Write) -> None:
        """Read whether a write without an answer is there.

        If it is not, it stays in doubt: the page may be from just before somebody recovered it.
        """
        if write.kind == "task":
            self._look_for_task(write)
        elif write.kind == "comment":
            page = self._browser.get(f"/tasks/{self._book.pk(write.task)}?page=1000000")
            for number, text in read(page.text).comments.items():
                if text == write.values["text"]:
                    self._book.acknowledge(write, number)
        elif write.kind == "delete":
            self._own.pop(write.item, None)  # whatever came of it: we leave it alone from now on
            answer = self._browser.get(f"/tasks/{self._book.pk(write.item)}", 200, 404)
            if answer.status == 404:
                self._book.acknowledge(write)
        else:
            page = self._browser.get(f"/tasks/{self._book.pk(write.item)}/edit")
            form = post_form(page.text)
            shown = (_version(form), form.fields.get("title"))
            if shown == (write.version, write.values["title"]):
                self._book.acknowledge(write)

    def _look_for_task(self, write: Write) -> None:
        title = write.values["title"]
        page = read(self._browser.get(f"/search?{urlencode({'q': title, 'in': 'tasks'})}").text)
        for address, text in page.links:
            if text == title and re.fullmatch(r"/tasks/\d+", address):
                pk = _number(r"/tasks/(\d+)", address)
                self._book.acknowledge(write, pk)
                self._own[write.item] = pk


def _version(form: Form) -> int:
    text = form.fields.get("version", "")
    if not text.isdecimal():
        raise Wrong(f"a form without a version: {sorted(form.fields)}")
    return int(text)


def _number(pattern: str, text: str) -> int:
    found = re.match(pattern, text)
    if found is None:
        raise Wrong(f"{text!r} is no address of a new row")
    return int(found[1])
