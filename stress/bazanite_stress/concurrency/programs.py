"""What the processes of a simulated run do, as plain data that a file can hold.

A program is a workload's tables, options and setup, and a list of processes.  A process is a list
of threads that share its handle; a thread is a list of steps, those of ``explore.workload`` and

    ["read"]             all rows of all tables, in one transaction
    ["backup"]           the same, of a backup that is made and opened
    ["rows", table]      all rows of one table
    ["open"] ["close"]   the handle; a process that does not begin with "open" has it open before
    ["look"]             the same as "open", but read-only
    ["fork", [step ...]] a child that goes on with these steps, on the inherited handle
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bazanite_stress.explore.own import load_workload
from bazanite_stress.explore.workload import Step, Workload

Thread = list[Step]

_PATIENCE_SECONDS = 0.5
"""How long a commit waits for a process that was stopped: a minute would be very many points."""

_OWN = (["read"], ["backup"], ["open"], ["look"], ["close"])
OPENS = ("open", "look")
"""What a process may begin with that has no handle yet."""


@dataclass(frozen=True, slots=True)
class Program:
    """``workload`` has tables, setup, durability and options.

    Of steps of its own it has the migrations that any process makes, once each, and no others.
    """

    workload: Workload
    processes: list[list[Thread]]

    @property
    def name(self) -> str:
        """The workload's."""
        return self.workload.name

    def as_json(self) -> dict[str, Any]:
        """For a replay file."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Program:
        """What ``as_json`` gave."""
        program = cls(Workload.from_json(document["workload"]), document["processes"])
        program.check()
        return program

    def check(self) -> None:
        """ValueError for steps that can never be carried out."""
        if not self.processes or not all(self.processes):
            raise ValueError("a program is a list of processes, each a list of threads, with steps")
        for threads in self.processes:
            for steps in threads:
                self._check(steps)

    def _check(self, steps: Thread) -> None:
        for step in steps:
            if (
                step
                and step[0] in ("fork", "lock")
                and len(step) == 2
                and isinstance(step[1], list)
            ):
                self._check(step[1])
            elif step and step[0] == "rows" and len(step) == 2 and step[1] in self.workload.tables:
                continue
            elif step not in _OWN:
                Workload.from_json(self.workload.with_steps([step]).as_json())


def load_program(reference: str) -> Program:
    """The Program or Workload that ``module:name`` means; ValueError or TypeError if it is none.

    Of a Workload two processes carry out the steps, and a third one opens it, reads and closes.
    Either waits for a commit as briefly as our own programs do, unless its options say otherwise.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module_name), attribute, None)
    except (Exception, SystemExit):  # noqa: BLE001  whoever loads workloads says what is wrong
        found = None
    if isinstance(found, Program):
        program = Program.from_json(found.as_json())
        return Program(_impatient(program.workload), program.processes)
    workload = load_workload(reference)
    if workload.migrates:
        raise ValueError(f"{reference} migrates, which is not one call: name a Program instead")
    steps = [inner for step in workload.steps for inner in _plain(step)]
    reader: Thread = [["open"], ["read"], ["close"]]
    return Program(_impatient(replace(workload, steps=[])), [[steps], [steps], [reader]])


def _impatient(workload: Workload) -> Workload:
    options = {"commit_timeout": _PATIENCE_SECONDS} | dict(workload.options)
    return replace(workload, options=options)


def _plain(step: Step) -> list[Step]:
    return [["close"], ["open"]] if step == ["reopen"] else [step]
