"""What excuses a broken connection, and what a client takes out of a page."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from subprocess import PIPE

import pytest

from bazanite_demo.load.browser import Broken, Browser, Wrong
from bazanite_demo.load.figures import Figures
from bazanite_demo.load.html import Form, read
from bazanite_demo.load.killer import (
    LONGEST_DEATH_SECONDS,
    Deaths,
    Killer,
    ToldDeaths,
    children,
    kill_regularly,
)
from bazanite_stress.shares import quantile
from bazanite_stress.torture.killer import LOCK_TABLE
from bazanite_wal.attach import LOCK_NAME

WORKER = 4711
Reply = bytes | None


def answer(status: int = 200, body: bytes = b"<title>It</title>", pid: int = WORKER) -> bytes:
    head = f"HTTP/1.1 {status} X\r\nX-Worker: {pid}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextmanager
def server(*connections: list[Reply]) -> Iterator[int]:
    """The port of one that gives each connection these replies, one to a request, and ends it."""

    def serve() -> None:
        for replies in connections:
            connection, _ = listener.accept()
            with connection:
                for reply in replies:
                    request = b""
                    while b"\r\n\r\n" not in request:
                        part = connection.recv(65_536)
                        if not part:
                            return
                        request += part
                    if reply is None:
                        break
                    connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def browsing(port: int, deaths: Deaths | None = None) -> Iterator[Browser]:
    browser = Browser("127.0.0.1", port, deaths or Deaths(), Figures())
    try:
        yield browser
    finally:
        browser.close()


def killed(pid: int, when: Callable[[], float] = time.monotonic) -> Deaths:
    deaths = Deaths()
    deaths.end(deaths.begin(pid), when())
    return deaths


def test_a_page_is_read_on_a_connection_of_which_the_worker_is_known() -> None:
    with server([answer(), answer(body=b"words")]) as port, browsing(port) as browser:
        assert browser.get("/").text == "words"


def test_a_connection_that_a_living_worker_breaks_is_an_error() -> None:
    with (
        server([answer(), None]) as port,
        browsing(port) as browser,
        pytest.raises(Wrong, match=f"worker {WORKER} was not killed"),
    ):
        browser.get("/")


def test_a_connection_that_breaks_as_its_worker_was_killed_is_excused() -> None:
    deaths = Deaths()
    with server([answer(), None]) as port, browsing(port, deaths) as browser:
        deaths.begin(WORKER)
        with pytest.raises(Broken):
            browser.get("/")


def test_a_kill_of_another_worker_excuses_nothing() -> None:
    deaths = Deaths()
    with server([answer(), None]) as port, browsing(port, deaths) as browser:
        deaths.begin(WORKER + 1)
        with pytest.raises(Wrong):
            browser.get("/")


@pytest.mark.parametrize("when", [time.monotonic, lambda: -math.inf])
def test_a_kill_that_was_over_before_the_connection_was_made_excuses_nothing(
    when: Callable[[], float],
) -> None:
    deaths = killed(WORKER, when)
    with (
        server([answer(), None]) as port,
        browsing(port, deaths) as browser,
        pytest.raises(Wrong),
    ):
        browser.get("/")


def test_a_kill_that_others_told_of_before_is_an_excuse_like_ours(tmp_path: Path) -> None:
    told = tmp_path / "killed"
    told.write_text(f"{WORKER} {time.monotonic()}\n")
    deaths = ToldDeaths(told)  # which knows nothing of kills before it
    for line, error in (("", Wrong), (f"{WORKER + 1} 0\n{WORKER} {time.monotonic()}\n", Broken)):
        with server([answer(), None]) as port, browsing(port, deaths) as browser:
            with told.open("a") as file:
                file.write(line)
            with pytest.raises(error):
                browser.get("/")
    assert (deaths.of(WORKER + 1), deaths.of(WORKER)) == (0, 1)
    assert not deaths.excuse(WORKER + 1, time.monotonic())  # long ago
    assert not deaths.excuse(WORKER, time.monotonic() + LONGEST_DEATH_SECONDS)


def test_a_first_request_is_made_again_if_some_worker_was_killed_meanwhile() -> None:
    deaths = Deaths()
    deaths.begin(WORKER)
    replies: list[Reply] = [answer(), answer(body=b"words")]
    with server([None], replies) as port, browsing(port, deaths) as browser:
        assert browser.get("/").text == "words"


def test_a_first_request_that_breaks_while_nobody_is_killed_is_an_error() -> None:
    with (
        server([None]) as port,
        browsing(port) as browser,
        pytest.raises(Wrong, match="worker unknown was not killed"),
    ):
        browser.get("/")


def test_nobody_who_listens_is_an_error_even_while_workers_are_killed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    deaths = Deaths()
    deaths.begin(WORKER)
    with browsing(port, deaths) as browser, pytest.raises(Wrong, match="cannot connect"):
        browser.get("/")


@pytest.mark.parametrize(
    "reply", [answer()[:20], answer()[:45], answer()[:-1]], ids=["status", "headers", "body"]
)
def test_an_answer_that_is_cut_is_none(reply: bytes) -> None:
    for excused in (False, True):
        deaths = Deaths()
        with server([answer(), reply]) as port, browsing(port, deaths) as browser:
            if excused:
                deaths.begin(WORKER)
            with pytest.raises(Broken if excused else Wrong):
                browser.get("/")


@pytest.mark.parametrize("reply", [answer(body=b"\xff"), answer().replace(b"4711", b"4" * 5000)])
def test_an_answer_that_no_demo_gives_is_an_error(reply: bytes) -> None:
    with server([reply]) as port, browsing(port) as browser, pytest.raises(Wrong, match="GET /"):
        browser.get("/")


def test_an_answer_of_another_process_on_the_same_connection_is_an_error() -> None:
    with (
        server([answer(), answer(pid=12)]) as port,
        browsing(port) as browser,
        pytest.raises(Wrong, match=f"worker 12 answered for {WORKER}"),
    ):
        browser.get("/")


def test_a_page_with_another_status_than_expected_is_an_error() -> None:
    with server([answer(), answer(500), answer(404)]) as port, browsing(port) as browser:
        with pytest.raises(Wrong, match=r"GET /: 500 'It', expected \(200,\)"):
            browser.get("/")
        assert browser.get("/", 200, 404).status == 404


def test_forms_are_read_as_a_browser_fills_them_in() -> None:
    page = read(
        """<title>Edit a &amp; b</title><form action="/search"><input name="q" value="x"></form>
        <form method="post"><input name="version" type="hidden" value="3"><input name="due">
        <select name="a"><option value="1">One</option><option selected value="2">Two</option>
        </select><select name="b"><option value="7">Seven</option><option value="8">E</option>
        </select><textarea name="text">\r\n  a\n&lt;b&gt;</textarea></form>
        <a href="/tasks/3">The <mark>th</mark>ird</a>
        <li id="comment-5"><p><a href="/x">Edit</a></p><div class="prose">One\ntwo</div></li>
        <div class="prose">none</div>"""
    )
    fields = {"version": "3", "due": "", "a": "2", "b": "7", "text": "  a\n<b>"}
    assert page.title == "Edit a & b"
    assert page.forms == [Form("", fields)]
    assert page.links == [("/tasks/3", "The third"), ("/x", "Edit")]
    assert page.comments == {5: "One\ntwo"}


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [quantile(values, percent / 100) for percent in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert quantile([3.0], 0.5) == 3.0
    assert quantile([], 0.99) == 0.0


def test_silence_is_counted_from_a_kill_to_the_next_answer_of_anybody() -> None:
    figures = Figures()
    for when in (1.0, 2.0, 2.5, 9.0):
        figures.answered(0.1, when, writing=False)
    figures.killed(1.5)
    figures.killed(2.25)
    assert figures.longest_silence_seconds() == 0.5


def test_only_children_are_killed_and_busy_ones_first(tmp_path: Path) -> None:
    sleep = [sys.executable, "-c", "input()"]
    workers = [subprocess.Popen(sleep, stdin=PIPE) for _ in range(3)]
    try:
        assert {worker.pid for worker in workers} <= children(os.getpid())
        figures, deaths = Figures(), Deaths()
        killer = Killer(os.getpid(), tmp_path, deaths, figures, Random(1))
        with (
            figures.busy(workers[1].pid, writing=False),
            figures.busy(workers[2].pid, writing=True),
        ):
            assert killer.kill()
            assert workers[2].wait(30) == -9
            assert killer.kill()
            assert workers[1].wait(30) == -9
        assert deaths.excuse(workers[2].pid, 0.0)
        assert not deaths.excuse(workers[0].pid, 0.0)
        assert not deaths.excuse(workers[2].pid, time.monotonic())
        assert len(figures.kills) == 2
    finally:
        for worker in workers:
            worker.communicate(b"\n")


@pytest.mark.skipif(not LOCK_TABLE.exists(), reason="the system does not tell who holds a lock")
def test_who_holds_the_lock_is_killed_in_most_cases(tmp_path: Path) -> None:
    program = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(); input()"
    with (
        subprocess.Popen(
            [sys.executable, "-c", program, tmp_path / LOCK_NAME], stdin=PIPE, stdout=PIPE
        ) as holder,
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=PIPE) as other,
    ):
        assert holder.stdout is not None
        holder.stdout.readline()
        figures = Figures()
        killer = Killer(os.getpid(), tmp_path, Deaths(), figures, _Certain(1))
        with figures.busy(other.pid, writing=True):
            assert killer.kill()
        assert holder.wait(30) == -9
        other.communicate(b"\n")


class _Certain(Random):
    """Chance that takes the likelier way."""

    def random(self) -> float:
        return 0.0


def test_the_data_is_looked_at_after_every_kill_and_after_none_without() -> None:
    looks: list[int] = []
    killer = _Killer([True, False, True, True])
    kill_regularly(killer.kill, 0.001, 3, threading.Event(), lambda: looks.append(killer.asked))
    assert looks == [1, 3, 4]
    stop = threading.Event()
    stop.set()
    kill_regularly(killer.kill, 0.001, 3, stop, lambda: looks.append(0))
    assert looks == [1, 3, 4]


class _Killer:
    """One whose kills succeed or not as told."""

    def __init__(self, succeed: list[bool]) -> None:
        self._succeed = succeed
        self.asked = 0

    def kill(self) -> bool:
        self.asked += 1
        return self._succeed[self.asked - 1]
