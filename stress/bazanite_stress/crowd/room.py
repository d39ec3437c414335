"""One directory: processes are started, struck and buried; when all are dead, everything is read.

Whoever dies gets a successor.  Most processes kill themselves at a moment that was chosen for them;
besides that, at random times, one is killed or stopped for a while, or all are killed, and whoever
opens the directory then is killed again, in the middle of its recovery.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from time import monotonic_ns

from bazanite_stress.concurrency.calls import NOTHING_DONE
from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.killer import short_time
from bazanite_stress.torture.lives import Crew, tail

from . import moments as at
from .life import Part
from .notes import Kind, Notes
from .people import Orphan, Paper, Person, stands
from .plans import Plans, Setting
from .record import Record
from .verdict import events_of, judge

_STRIKE_CALLS, _STRIKE_SECONDS = 10, 0.25
"""How many calls come between two strikes from outside, on an average; how long at most."""
_RECOVERIES = 4
"""At most so many processes then try to be the first to open, one after another."""
_FIRST_SECONDS = 0.004
_STOP_SECONDS = 0.008
_TICK_SECONDS = 0.001
_DID_NOTHING = {kind.__name__ for kind in NOTHING_DONE}


class Room:
    """See the module's text.  ``run`` leaves what is wrong in ``findings``."""

    def __init__(
        self, crew: Crew, setting: Setting, random: Random, scratch: Path, paper: Paper
    ) -> None:
        self._crew, self._setting, self._random = crew, setting, random
        self._tally, self._scratch, self._paper = crew.tally, scratch, paper
        self._plans = Plans(setting, random, crew.tally.moments)
        self._people: list[Person] = []
        self._names = 0
        self._answered = self._ended = 0
        self._heard, self._advanced = time.monotonic(), 0
        self.findings: list[Finding] = []
        self.record = Record()

    def run(
        self, seconds: float, kills: int, before_the_end: Callable[[], None] = lambda: None
    ) -> None:
        """Until so much time has passed or so many were killed; then all are killed, and judged.

        ``before_the_end`` is called when all are dead, and before somebody opens the directory.
        Nobody is left, whatever is raised.
        """
        try:
            self._let_them_work(seconds, kills)
            before_the_end()
            self._read_all()
        finally:
            for person in self._people:
                person.process.kill()
                person.end_family()
        self.record.ended = monotonic_ns()
        self._judge()

    def _let_them_work(self, seconds: float, kills: int) -> None:
        begin = time.monotonic()
        self.record.began = monotonic_ns()
        strike_at, latest, advanced = 0.0, begin + _STRIKE_SECONDS, 0
        enough = self._tally.kills + kills
        while not self.findings and time.monotonic() < begin + seconds:
            self._crew.stopping.check()
            self._crew.progress.tick(self._tally)
            self._bury_the_dead()
            if self._tally.kills >= enough:
                break
            self._fill()
            self._strike_the_forked()
            # a kill may free those that are stuck, so nobody is struck over that
            late = time.monotonic() >= latest and self._advance() > advanced
            if self._calls() >= strike_at or late:
                self._strike()
                advanced = self._advance()
                strike_at = self._calls() + self._random.expovariate(1 / _STRIKE_CALLS)
                latest = time.monotonic() + _STRIKE_SECONDS
            self._see_that_they_get_on()
            time.sleep(_TICK_SECONDS)
        self._kill_everybody()
        self._tally.writing_seconds += time.monotonic() - begin

    # ---- starting

    def _fill(self) -> None:
        settings = self._crew.settings
        taken = {person.slot for person in self._people}
        for slot in range(settings.writers + settings.readers):
            if slot not in taken:
                reads = slot >= settings.writers
                self._start(slot, self._plans.reader() if reads else self._plans.writer())

    def _start(self, slot: int, part: Part) -> Person:
        self._names += 1
        name = f"{slot}.{self._names}"
        notes = self._paper.take()
        child, family, held = None, -1, -1
        if part.fork_at:
            child = self._paper.take()
            family, held = os.pipe()
        config = {"part": part, "notes": notes, "child": child}
        process = self._crew.launcher.start("crowd", config, self._scratch / "crowd.output")
        if held >= 0:
            os.close(held)
        person = Person(name, slot, part, process, notes, child, family)
        self._people.append(person)
        return person

    # ---- striking

    def _strike(self) -> None:
        victim = self._random.choice(self._people)
        if self._random.random() < self._plans.everybody():
            self._kill_everybody()
            for _ in range(self._random.randint(1, _RECOVERIES)):
                self._strike_the_first()
        elif self._random.random() < 0.4:
            self._stop(victim)
        else:
            victim.kill(at.ANY_TIME)

    def _calls(self) -> int:
        """How many calls were answered in this room."""
        return self._answered + sum(person.notes.answers for person in self._people)

    def _advance(self) -> int:
        """What has come to an end by itself, calls and processes: a kill adds nothing to that."""
        return self._calls() + self._ended

    def _stop(self, victim: Person) -> None:
        """The others meet a process that does not move; then it goes on, or is killed."""
        victim.process.signal(signal.SIGSTOP)
        time.sleep(self._random.random() * _STOP_SECONDS)
        self._met(at.STOPPED, stands(victim.process.pid))
        if self._random.random() < 0.5:
            victim.kill(at.STOPPED)
        else:
            victim.process.signal(signal.SIGCONT)

    def _strike_the_first(self) -> None:
        """Nobody lives: whoever opens the directory recovers it, and is killed over that."""
        if self._plans.rarest((at.RECOVERY, at.FIRST_OPENER)) == at.RECOVERY:
            person = self._start(0, self._plans.doomed(at.RECOVERY))
            self._until(person, "opened")
        else:
            person = self._start(0, self._plans.writer())
            self._until(person, "open")
            time.sleep(short_time(self._random, _FIRST_SECONDS))
            person.kill(at.ANY_TIME)
            if person.mode and person.noted("open") and not person.noted("opened"):
                person.mode = at.FIRST_OPENER
        if person.noted("opened"):
            self._kill_everybody()
        self._bury_the_dead()

    def _until(self, person: Person, noted: Kind) -> None:
        """Return when it has noted that, or is dead; it is killed if it hangs."""
        limit = self._crew.settings.recovery_seconds
        deadline = time.monotonic() + limit
        while person.process.alive() and not person.noted(noted):
            self._crew.stopping.check()
            if time.monotonic() > deadline:
                self._hangs(limit)
                person.kill("")
            time.sleep(_TICK_SECONDS)

    def _hangs(self, limit: float) -> None:
        found = Finding("recovery hangs", f"within {limit:g} s", "it does not end")
        self.findings.append(found)

    def _strike_the_forked(self) -> None:
        """Who has forked, or its child, is killed; the other one goes on."""
        for person in list(self._people):
            pid = person.forked()
            if pid is None or person.child is None:
                continue
            notes, person.child = person.child, None
            os.close(person.family)
            person.family = -1
            child = Person(f"{person.name}c", person.slot, person.part, Orphan(pid), notes)
            self._people.append(child)
            time.sleep(short_time(self._random, _FIRST_SECONDS))
            mode = self._plans.rarest((at.FORKED_CHILD, at.PARENT_OF_A_FORK))
            (child if mode == at.FORKED_CHILD else person).kill(mode)

    def _kill_everybody(self) -> None:
        for person in self._people:
            person.process.signal(signal.SIGKILL)
        for person in self._people:
            person.kill(at.EVERYBODY)
        self._bury_the_dead()

    # ---- burying

    def _bury_the_dead(self) -> None:
        for person in list(self._people):
            if not person.process.alive():
                self._people.remove(person)
                self._bury(person)

    def _bury(self, person: Person) -> None:
        person.died = person.died or monotonic_ns()
        self._read(person, person.notes, person.name)
        if person.child is not None:
            person.end_family()
            person.died = monotonic_ns()
            self._read(person, person.child, f"{person.name}c")
        self._count(person)
        self._answered += person.notes.answers
        for notes in (person.notes, person.child):
            if notes is not None:
                self._paper.give_back(notes)

    def _read(self, person: Person, notes: Notes, name: str) -> None:
        events = events_of(name, notes, person.died)
        self.record.events += events
        self._tally.operations += sum(event.known for event in events)
        self._tally.commits += sum(event.commits for event in events)
        self._tally.in_flight += any(not event.known for event in events)
        self._tally.backups += sum(event.step[0] == "backup" and event.known for event in events)
        if self._setting.no_space:
            self._met(at.NO_SPACE, sum(event.error in _DID_NOTHING for event in events))
        for kind, _, content in notes:
            if kind == "moment":
                person.mode = content
            elif kind in ("failed", "checked") and content:
                self.findings.append(Finding(_RULES[kind], "no complaint", str(content)))

    def _count(self, person: Person) -> None:
        status, over = person.process.status, person.noted("over")
        self._ended += over
        if isinstance(person.process, Orphan) and over:
            person.mode = ""  # nobody tells of one that was struck too late
        self.record.deaths.append((person.slot, person.born, person.died, person.mode))
        if person.mode:
            self._tally.killed(person.mode)
            if person.mode in at.WHITE_BOX + at.BLACK_BOX and person.mode != at.STOPPED:
                self._met(person.mode)
        elif status != 0 or not over:
            found = f"exit status {status}: {tail(self._scratch / 'crowd.output')}"
            self.findings.append(Finding("a process died", "only our kills", found))

    def _met(self, moment: str, count: int = 1) -> None:
        moments = self._tally.moments
        moments[moment] = moments.get(moment, 0) + count

    def _see_that_they_get_on(self) -> None:
        """Somebody finishes a call now and then, or all are stuck: a lock that nobody frees."""
        advanced, now = self._advance(), time.monotonic()
        if advanced != self._advanced:
            self._advanced, self._heard = advanced, now
        elif now - self._heard > self._crew.settings.stuck_seconds:
            last = [list(person.notes)[-1:] for person in self._people]
            expected = f"an answer within {self._crew.settings.stuck_seconds:g} s"
            self.findings.append(Finding("no progress", expected, f"last notes: {last}"))

    # ---- the verdict

    def _read_all(self) -> None:
        """Open the directory, read everything, write, let it check itself."""
        self._setting = replace(self._setting, no_space=False)
        person = self._start(0, self._plans.last())
        self._tally.recoveries += 1
        limit = self._crew.settings.recovery_seconds
        if not person.process.wait(limit, self._crew.stopping.check):  # type: ignore[union-attr]
            self._hangs(limit)
            person.kill("")
        elif not (self.findings or person.noted("checked")):
            found = f"its last notes: {list(person.notes)[-2:]}"
            self.findings.append(Finding("recovery died", "a directory that was checked", found))
        self._bury_the_dead()

    def _judge(self) -> None:
        verdict, windows = judge(self.record.events, self._setting.design.tables)
        self._tally.windows += windows
        if verdict.rule:
            calls = "\n".join(map(str, verdict.events))
            found = f"{verdict.found}\n{calls}".strip()
            self.findings.append(Finding(verdict.rule, verdict.expected or "a right order", found))


_RULES = {"failed": "a call failed", "checked": "check"}
