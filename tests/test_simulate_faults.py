"""Faults that are in no list, each planted into the engine, and seen by the simulated schedules.

Found by inventing faults and looking what the schedules miss: three of them (a savepoint that is
kept, a thread that tells another one's position, a read of what is not durable) were in no program.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from bazanite_stress.mutants.bug import Patch

_STORE, _COMMIT, _GROUP = "bazanite_wal.store", "bazanite_wal.commit", "bazanite_wal.group"
Mode = Literal["random", "cuts", "one change", "two changes"]


@dataclass(frozen=True)
class Fault:
    """``program``: the one in which it must be seen, under schedules of this mode."""

    patch: Patch
    program: str
    mode: Mode = "random"


FAULTS = {
    "a savepoint that was rolled back is kept": Fault(
        Patch(
            _STORE,
            "                    savepoint.close()\n",
            "                        outer.absorb(__planted__(savepoint))\n"
            "                    savepoint.close()\n",
        ),
        "savepoints",
    ),
    "a commit tells the position of the frame before": Fault(
        Patch(
            _COMMIT,
            "tx.lsn = lsn or core.position",
            "tx.lsn = __planted__(core.words[shared.APPLIED]) if lsn else core.position",
        ),
        "two inserts",
    ),
    "a commit tells a position that is a byte too far": Fault(
        Patch(
            _COMMIT,
            "tx.lsn = lsn or core.position",
            "tx.lsn = __planted__(lsn + 1) if lsn else core.position",
        ),
        "checkpoint beside insert",
    ),
    "a thread tells the position of another one": Fault(
        Patch(
            _STORE,
            "self._seen = PerThread()",
            "self._seen = __planted__(type('Seen', (), {'lsn': 0})())",
        ),
        "rows beside a thread",
        "one change",
    ),
    "a read without the lock tells a position that is newer than what it read": Fault(
        Patch(
            _STORE,
            "                self._seen.lsn = lsn\n                if failure",
            "                self._seen.lsn = __planted__(core.words[shared.APPLIED])\n"
            "                if failure",
        ),
        "find beside update",
        "two changes",
    ),
    "a read under the lock sees what is not durable": Fault(
        Patch(
            _STORE,
            "                elif core.words[shared.DURABILITY] == 2:\n",
            "                elif __planted__(True):\n",
        ),
        "rows beside update",
        "cuts",
    ),
    "a refusal tells an older position than it saw": Fault(
        Patch(
            _COMMIT,
            "tx.refused_at = lsn or core.position",
            "tx.refused_at = __planted__(core.words[shared.APPLIED])",
        ),
        "refusals",
    ),
    "a commit returns when it is durable, before it is applied": Fault(
        Patch(
            _GROUP,
            "        while words[shared.APPLIED] < lsn:\n            self._core.check_poisoned()\n"
            "            if self._core.system",
            "        while __planted__(words)[shared.DURABLE] < lsn:\n"
            "            self._core.check_poisoned()\n            if self._core.system",
        ),
        "refusals",
    ),
    "what is rolled back is in the log": Fault(
        Patch(
            _COMMIT,
            "            tx.refused_at = lsn or core.position\n",
            "            tx.refused_at = lsn or core.position\n"
            "            if tx.has_changes:\n"
            "                images = tx.after_images(core.header.sector)\n"
            "                __planted__(append(core, group, FRAME, images))\n",
        ),
        "refusals",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_that_nobody_listed_is_seen(name: str) -> None:
    fault = FAULTS[name]
    patch = (fault.patch.module, fault.patch.old, fault.patch.new)
    request = json.dumps({"patch": patch, "program": fault.program, "mode": fault.mode})
    child = Path(__file__).with_name("simulate_fault_child.py")
    done = subprocess.run(
        [sys.executable, child], input=request, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["planted"] > 0
    assert answer["rule"], f"{answer['runs']} schedules saw nothing"
