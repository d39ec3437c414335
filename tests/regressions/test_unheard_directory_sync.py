"""A sync of the directory failed, its caller was killed unheard, and the names were believed.

Whoever met such a failure left word of it, and the next first opener made every name anew.  A
process that was killed between the system's answer and that word left none: the next one opened the
directory, made the tables that the dead one had wanted to make, synced the names, which this time
the system said were fine, and acknowledged a row.  A power cut took the names, and the row with
them.  So who syncs names says so before, as who syncs the log does.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from bazanite_stress.concurrency.catalogue import PROGRAMS
from bazanite_stress.concurrency.plans import Decision, Policy
from bazanite_stress.concurrency.programs import Thread
from bazanite_stress.concurrency.scheduler import Scheduler, Task
from bazanite_stress.concurrency.trial import Court, Trial
from bazanite_stress.simulation.disk import PROFILES, Profile
from bazanite_wal import attach, shared
from bazanite_wal.names import remembering
from bazanite_wal.system import Directory, Words

OPENS: Thread = [["open"]]
INSERTS: Thread = [["open"], ["insert", "a", {"v": "p"}]]


class FailsUnheard:
    """The n-th sync of the directory fails, and its process is killed before it returns."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.next_point = 0

    def decide(
        self, scheduler: Scheduler, current: Task | None, ready: list[Task]
    ) -> Decision | None:
        del ready
        point = scheduler.points
        self.next_point = point + 1
        if current is None or current.about_to[0] != "sync_names":
            return None
        self._left -= 1
        if self._left == 0:
            return Decision(point, "fail", current.number, how="evicted later")
        return Decision(point, "kill", current.number) if self._left == -1 else None


def run(threads: list[Thread], number: int, profile: Profile = "journal") -> Trial:
    program = replace(PROGRAMS["first openers"], processes=[[steps] for steps in threads])
    policy: Policy = FailsUnheard(number)
    trial = Court(program, profile, cuts=8).run(policy)
    struck = [decision.kind for decision in trial.decisions]
    assert struck.count("fail") == struck.count("kill") == 1, trial.told
    return trial


SYNCS = (1, 2, 3)
"""Of a first opener: behind the log's rename, at the end of recovery, and for the tables' files."""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("number", SYNCS)
@pytest.mark.parametrize("threads", [[OPENS], [OPENS, INSERTS]], ids=["alone", "then another"])
def test_names_of_which_nobody_heard_are_not_built_upon(
    threads: list[Thread], number: int, profile: Profile
) -> None:
    assert run(threads, number, profile).broken is None


def test_an_engine_that_says_nothing_before_it_syncs_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Silent:
        """The words, without the one that a first opener is to find."""

        def __init__(self, words: Words) -> None:
            self._words = words

        def __getitem__(self, index: int) -> int:
            return self._words[index]

        def __setitem__(self, index: int, value: int) -> None:
            if index != shared.NAMES_SYNCING:
                self._words[index] = value

    def silent(directory: Directory, words: Words, token: int) -> Directory:
        return remembering(directory, Silent(words), token)

    monkeypatch.setattr(attach, "remembering", silent)
    assert any(run([OPENS], number).broken for number in SYNCS)
