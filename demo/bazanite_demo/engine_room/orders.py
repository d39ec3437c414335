"""What a worker does when another one tells it to: make a transaction, and stand still in it.

Each slot has a pair of sockets, made by the master, so that every worker can write to every other
one.  The transaction is made in a thread of its own, while the worker serves as it always does.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from bazanite import DB, DBError

from .board import FAILED, SLOTS, STANDS, STEP, WAITS, WENT_ON, Board
from .halting import Halt, HaltingSystem
from .moments import OPEN
from .tables import PARTS, Experiments

_LOOK_SECONDS = 0.02
_OPEN_AT = 3


@dataclass(frozen=True, slots=True)
class Order:
    """Make the transaction ``number`` and stand still at ``moment``; for process ``pid`` only.

    It stands until it is killed, but not beyond ``until`` (monotonic time), nor if ``by``, who was
    to kill it, is gone: then it goes on, and commits.
    """

    pid: int
    number: int
    moment: str
    until: float
    by: int


class Orders:
    """The sockets; made by the master, and used by all workers."""

    def __init__(self) -> None:
        kind = socket.SOCK_DGRAM
        self._pairs = [socket.socketpair(socket.AF_UNIX, kind) for _ in range(SLOTS)]
        for writing, _ in self._pairs:
            writing.setblocking(False)

    def give(self, slot: int, order: Order) -> bool:
        """Tell the worker of this slot; False if it does not listen."""
        try:
            self._pairs[slot][0].send(json.dumps(asdict(order)).encode())
        except OSError:
            return False
        return True

    def take(self, slot: int) -> Order:
        """Wait for an order to this process; what its predecessor was told is left out."""
        while True:
            order = Order(**json.loads(self._pairs[slot][1].recv(1 << 12)))
            if order.pid == os.getpid():
                return order

    def close(self) -> None:
        """For this process."""
        for pair in self._pairs:
            for end in pair:
                end.close()


class Victim:
    """The thread of a worker that takes orders."""

    def __init__(
        self, db: DB, system: HaltingSystem, board: Board, stopping: Callable[[], bool]
    ) -> None:
        self._db = db
        self._system = system
        self._board = board
        self._stopping = stopping
        self._slot = 0

    def start(self, orders: Orders, slot: int) -> None:
        """Listen, as long as the process lives."""
        self._slot = slot

        def listen() -> None:
            while True:
                order = orders.take(slot)
                with suppress(DBError, OSError):
                    self.carry_out(order)

        threading.Thread(target=listen, name="orders", daemon=True).start()

    def carry_out(self, order: Order) -> None:
        """The transaction.  DBError: nothing of it was done; ``STEP`` tells of that, too."""
        db, table = self._db, Experiments.name
        self._step(WAITS)
        begun = datetime.now(UTC)
        values = {"number": order.number, "moment": order.moment, "begun": begun}
        try:
            with db.storage.lock(), db.transaction():
                for part in range(1, PARTS + 1):
                    db.insert(table, {**values, "worker": os.getpid(), "part": part})
                    if order.moment == OPEN and part == _OPEN_AT:
                        self._stand(order)
                if order.moment != OPEN:
                    self._system.halt = Halt(order.moment, lambda: self._stand(order))
        except BaseException:
            self._step(FAILED)
            raise
        finally:
            self._system.halt = None
        self._step(WENT_ON)

    def _stand(self, order: Order) -> None:
        self._step(STANDS)
        while time.monotonic() < order.until and lives(order.by) and not self._stopping():
            time.sleep(_LOOK_SECONDS)

    def _step(self, step: int) -> None:
        self._board.put(self._slot, STEP, step)


def lives(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is somebody else's by now
        return False
    return True
