"""What runs in a child of the supervisor: prepare a directory, write to one, or recover and read.

Nothing here returns: a child ends by `os._exit`, so that a forked one never runs the supervisor's
exit handlers.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

from bazanite_stress.crowd import life
from bazanite_stress.torture import own_worker, reader, worker

ROLES = {
    "write": worker.write,
    "prepare": reader.prepare,
    "read": reader.read,
    "witness": reader.witness,
    "set up": own_worker.set_up,
    "repeat": own_worker.repeat,
    "look": own_worker.look,
    "crowd": life.live,
}

ORPHANED = 9


def run(role: str, config: dict[str, Any], lifeline: int) -> NoReturn:
    """Do what the role says, then exit: 0, or 1 with a traceback in the output."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        faulthandler.enable(file=2)
        # The supervisor asks a child that makes no progress where it is.
        faulthandler.register(signal.SIGUSR1, file=2)
        threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
        ROLES[role](config)
        status = 0
    except BaseException:  # noqa: BLE001 - the last place where it can be told
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def main(path: str) -> NoReturn:
    """The same in a new interpreter; `path` holds what `run` needs."""
    # Written by our own supervisor into its own directory.
    role, config, lifeline = pickle.loads(Path(path).read_bytes())  # noqa: S301
    run(role, config, lifeline)


def _watch(lifeline: int) -> None:
    """Exit when the supervisor is gone, however it went, also in the middle of a call."""
    os.read(lifeline, 1)
    os._exit(ORPHANED)
