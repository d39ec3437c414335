"""A process in which a bug is planted, before the engine is imported; it kills others over it.

A process of the crowd makes a few calls and kills itself at its first append to the log, in another
directory at its second, and so on; each time another one goes on with what is left, and reads it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bazanite_stress.mutants.planted import BUGS
from bazanite_stress.mutants.planting import plant


def in_a_child(work: Callable[[], None]) -> int:
    """Carry it out in a forked process; its exit status, negative for a signal."""
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    """Read what to do, answer with the rules that were broken, one for each kill ("": none)."""
    request = json.load(sys.stdin)
    planted = plant(*(BUGS[number] for number in request["bugs"]))
    from bazanite_stress.crowd import moments as at
    from bazanite_stress.crowd import tables
    from bazanite_stress.crowd.life import Life, Part
    from bazanite_stress.crowd.moments import Doom
    from bazanite_stress.crowd.notes import Notes
    from bazanite_stress.crowd.verdict import events_of, judge

    design = getattr(tables, request["design"])
    first, then = tuple(request["steps"]), (*request["then"], ["read"])
    rules: list[str] = []
    options = {"durability": "normal"}  # a kill loses nothing, and it takes no syncs
    count, status = 0, -signal.SIGKILL
    while status == -signal.SIGKILL:
        count += 1
        notes, last = Notes(), Notes()
        with tempfile.TemporaryDirectory() as parent:
            directory = str(Path(parent) / "data")
            doom = Doom(at.APPEND, count, 0.5)
            dying = Part(directory, "1/1", first, options, 0, doom=doom, design=design)
            reading = Part(directory, "2/2", then, options, last=True, design=design)
            status = in_a_child(Life(dying, notes).run)
            read = in_a_child(Life(reading, last).run)
        events = events_of("dead", notes, 1 << 62)
        died = max((event.start for event in events), default=0)
        events = events_of("dead", notes, died + 1) + events_of("last", last, 0)
        problems = [content for kind, _, content in last if kind == "checked"]
        rules.append(judge(events, design.tables)[0].rule)
        failed = [content for kind, _, content in (*notes, *last) if kind == "failed"]
        if read or failed or problems != [[]]:
            rules[-1] = rules[-1] or f"exit status {read}, check: {problems}, failed: {failed}"
    json.dump({"rules": rules, "planted": planted.runs}, sys.stdout)


if __name__ == "__main__":
    main()
