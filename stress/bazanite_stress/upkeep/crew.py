"""The writers, and a thread that kills one of them now and then and starts it anew."""

from __future__ import annotations

import multiprocessing
import threading
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Self

from .writer import Order, write

_LEAST_SECONDS, _MOST_SECONDS = 0.05, 0.35


class Crew:
    """While entered, all write; ``kills`` counts.  A writer that ends by itself is in ``ended``."""

    def __init__(self, orders: list[Order], seed: str) -> None:
        self._orders = orders
        self._random = Random(f"{seed}/kills")
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([write.__module__])
        self._writers: list[BaseProcess] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._strike, daemon=True)
        self.kills = 0
        self.ended: list[str] = []

    def __enter__(self) -> Self:
        self._writers = [self._start(order) for order in self._orders]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        for writer in range(len(self._writers)):
            self._kill(writer)

    def _start(self, order: Order) -> BaseProcess:
        process = self._context.Process(target=write, args=(order,), daemon=True)
        process.start()
        return process

    def _strike(self) -> None:
        while not self._stopped.wait(self._random.uniform(_LEAST_SECONDS, _MOST_SECONDS)):
            writer = self._random.randrange(len(self._writers))
            self._kill(writer)
            self._writers[writer] = self._start(self._orders[writer])

    def _kill(self, writer: int) -> None:
        process = self._writers[writer]
        if process.exitcode is not None:
            fault = Path(self._orders[writer].fault)
            told = fault.read_text()[-2000:] if fault.exists() else f"status {process.exitcode}"
            self.ended.append(f"writer {writer + 1} ended by itself: {told}")
            return
        process.kill()
        process.join()
        self.kills += 1
