"""The words that simulated processes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .system import SimulatedSystem


class _Words:
    def __init__(self, system: SimulatedSystem, values: list[int]) -> None:
        self._system = system
        self._values = values

    def __getitem__(self, index: int, /) -> int:
        self._system.call("load", "", index)
        return self._values[index]

    def __setitem__(self, index: int, value: int, /) -> None:
        if not 0 <= value < 1 << 64:
            raise OverflowError(f"{value} does not fit in 64 bits")
        self._system.call("store", "", index)
        self._system.about_to_store(self._values, index, value)
        self._values[index] = value


class SimulatedWords:
    """The mapped words of one file."""

    def __init__(self, system: SimulatedSystem, values: list[int]) -> None:
        self.words = _Words(system, values)
        self._system = system
        self._values = values

    def clear_from(self, index: int) -> None:
        self._system.call("clear", "", index)
        self._values[index:] = [0] * (len(self._values) - index)

    def close(self) -> None:
        pass
