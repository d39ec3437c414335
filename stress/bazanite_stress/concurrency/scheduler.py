"""Simulated threads that take turns: exactly one runs, and a plan says who goes on at each point.

Each simulated thread is a real one, so that the engine's thread-local state is what it is, but it
runs only while it has the turn.  Every call to the simulated machine is a *point*, counted from 1:
there the plan may give the turn to another thread, kill a process or cut the power.  In between
nothing happens that anybody else could see.  So the list of what the plan did, each with its point,
repeats a run exactly.

A thread that waits (for a lock, for a moment) is ready again when what it waits for has come.  When
nobody is ready the clock jumps to the next moment that somebody waits for; when there is none, a
process that was stopped is killed, and if there is none of these either, it is a deadlock.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import Protocol

from bazanite_stress.simulation.machine import Machine
from bazanite_stress.simulation.system import Killed

Ready = Callable[[], bool]


class Deadlock(Exception):
    """Nobody can go on, and somebody is not done; the text says who waits for what."""


class Endless(Exception):
    """Many more points than such a run takes: somebody waits for ever, or starves."""


class MovedBack(Exception):
    """A shared word that never moves back did."""


class PowerCut(Exception):
    """The power went, as the plan had it."""


class Process(Protocol):
    """What dies together.  ``mortal``: whether it may be killed and stopped."""

    mortal: bool

    def kill(self) -> None: ...


class Plan(Protocol):
    """Who goes on.  ``next_point`` is the next point at which the plan wants to be asked."""

    next_point: int

    def choose(self, scheduler: Scheduler, current: Task | None, ready: list[Task]) -> Task | None:
        """Who has the turn now; ``current``, who had it, is among the ready ones or None.

        None if the plan killed or stopped somebody instead: it is asked again.
        """
        ...


class Task:
    """One simulated thread.

    ``about_to`` is the call before which it stands, ``writing`` the inode, bytes and offset if that
    is a write (or a sync: no bytes); that call will fail with the errno ``raises``, if it is one.
    ``waits_for`` says what for, for a person.
    """

    def __init__(self, number: int, name: str, process: Process, body: Callable[[], None]) -> None:
        self.number = number
        self.name = name
        self.process = process
        self.body = body
        self.finished = False
        self.stopped = False
        self.doomed = False
        self.ready: Ready | None = None
        self.deadline: float | None = None
        self.waits_for = ""
        self.about_to = ("start", "")
        self.writing: tuple[int, bytes, int] | None = None
        self.raises = 0
        self.turn = _thread.allocate_lock()
        self.turn.acquire()

    def can_go_on(self, now: float) -> bool:
        """Whether it is worth its turn."""
        if self.finished or self.stopped:
            return False
        if self.doomed or self.ready is None:
            return True
        return (self.deadline is not None and self.deadline <= now) or self.ready()


class _Nobody:
    """Whoever uses the machine before and after the tasks run; never dies."""

    mortal = False

    def kill(self) -> None:
        pass


def _nothing() -> None:
    pass


class Scheduler:
    """Runs tasks in turn on one machine; see the module's text.

    ``most_points`` ends a run that does not end by itself (Endless).  Calls made before and after
    ``run`` are no points: they happen at once.
    """

    def __init__(self, machine: Machine, plan: Plan, most_points: int = 200_000) -> None:
        self.machine = machine
        self.plan = plan
        self.points = 0
        self.tasks: list[Task] = []
        self.current = Task(-1, "outside", _Nobody(), _nothing)
        self.failure: BaseException | None = None
        self.syncs_failed = 0
        self.writes_failed = 0
        self._most_points = most_points
        self._over = _thread.allocate_lock()
        self._over.acquire()
        self.running = False

    def spawn(self, name: str, process: Process, body: Callable[[], None]) -> Task:
        """A new task, ready at once.  It runs in a thread of its own when its turn comes."""
        task = Task(len(self.tasks), name, process, body)
        self.tasks.append(task)
        threading.Thread(target=self._live, args=(task,), name=name, daemon=True).start()
        return task

    def run(self) -> None:
        """Until all tasks are finished, or stopped for ever; afterwards no thread is left.

        Raises what ended it early: Deadlock, Endless, PowerCut, or an error of a task's.
        """
        outside, self.running = self.current, True
        try:
            self._give(self._choose(None))
            self._over.acquire()
        finally:
            self.running = False
        self._unwind()
        self.current = outside
        if self.failure is not None:
            raise self.failure

    def point(
        self, operation: str, name: str, writing: tuple[int, bytes, int] | None = None
    ) -> None:
        """The current task is about to do this; it goes on when the plan lets it.

        ``writing``: inode, bytes and offset of a write, or of a sync.
        """
        if not self.running:
            return
        self.points += 1
        if self.points < self.plan.next_point:
            return
        task = self.current
        task.about_to, task.writing = (operation, name), writing
        self._pass_on(task)
        task.writing = None

    def wait(self, what: str, ready: Ready, deadline: float | None = None) -> bool:
        """The current task waits; False if the deadline came first."""
        task = self.current
        task.ready, task.deadline, task.waits_for = ready, deadline, what
        try:
            self.points += 1
            self._pass_on(task)
            return ready()
        finally:
            task.ready, task.deadline, task.waits_for = None, None, ""

    def kill(self, process: Process) -> None:
        """SIGKILL: its threads unwind before anyone else goes on, and change nothing any more."""
        process.kill()
        for task in self.tasks:
            if task.process is process and not task.finished:
                task.doomed, task.stopped = True, False

    def stop(self, process: Process) -> None:
        """SIGSTOP: it does nothing any more, and keeps what it holds."""
        for task in self.tasks:
            if task.process is process:
                task.stopped = True

    def ready_tasks(self) -> list[Task]:
        """Who can go on now; moves the clock if nobody can yet, but will."""
        now = self.machine.now
        ready = [task for task in self.tasks if task.can_go_on(now)]
        if not ready:
            moments = [task.deadline for task in self._left() if task.deadline is not None]
            if moments:
                self.machine.now = max(now, min(moments))
                return [task for task in self.tasks if task.can_go_on(self.machine.now)]
        return ready

    # ---- turns

    def _live(self, task: Task) -> None:
        task.turn.acquire()
        try:
            if not task.doomed:
                task.body()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001  it ends the run
            if not task.doomed and self.failure is None:
                self.failure = error
        task.finished = True
        if self.running:
            self.points += 1
            self._pass_on(None)
        else:
            self._over.release()

    def _pass_on(self, leaving: Task | None) -> None:
        """Let somebody go on; returns when it is the leaving task's turn again, and it lives."""
        try:
            chosen = self._choose(leaving)
        except BaseException as error:  # noqa: BLE001  it ends the run
            self.failure = self.failure or error
            chosen = None
        if chosen is None:
            self._over.release()
        elif chosen is leaving:
            return
        else:
            self._give(chosen)
        if leaving is not None:
            leaving.turn.acquire()
            if leaving.doomed:
                raise Killed

    def _choose(self, leaving: Task | None) -> Task | None:
        """Who is next; None if the run is over."""
        while self.failure is None:
            dying = next((task for task in self.tasks if task.doomed and not task.finished), None)
            if dying is not None:
                return dying
            if self.points > self._most_points:
                raise Endless(f"no end after {self.points} points: {self._waiting()}")
            ready = self.ready_tasks()
            if not ready:
                if not self._left():
                    return None
                if not self._kill_one_stopped():
                    raise Deadlock(self._waiting())
                continue
            chosen = self.plan.choose(self, leaving if leaving in ready else None, ready)
            if chosen is not None:
                return chosen
            self.points += 1
        return None

    def _kill_one_stopped(self) -> bool:
        """All wait, perhaps for one that is stopped: somebody kills that one; False if none is."""
        for task in self.tasks:
            if task.stopped and not task.finished:
                self.kill(task.process)
                return True
        return False

    def _give(self, task: Task | None) -> None:
        if task is None:
            self._over.release()
            return
        self.current = task
        task.turn.release()

    def _unwind(self) -> None:
        """End the threads that are left, one by one; nothing of the machine changes any more."""
        for task in self.tasks:
            if not task.finished:
                task.process.kill()
        for task in self.tasks:
            if not task.finished:
                task.doomed = True
                self.current = task
                task.turn.release()
                self._over.acquire()

    def _left(self) -> list[Task]:
        return [task for task in self.tasks if not task.finished and not task.stopped]

    def _waiting(self) -> str:
        return "; ".join(f"{t.name} waits for {t.waits_for or t.about_to[0]}" for t in self._left())
