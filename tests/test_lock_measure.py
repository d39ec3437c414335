"""The lock's figures: their arithmetic by hand, and a short run of both experiments."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bazanite_stress.locks import measure as measuring
from bazanite_stress.locks import takeover
from bazanite_stress.locks.actors import SilentError
from bazanite_stress.locks.measure import (
    LockSettings,
    Turn,
    hammer,
    measure,
    overlaps,
    waits_beyond,
)
from bazanite_stress.locks.takeover import takeovers
from bazanite_stress.shares import fairness, quantile
from store_support import FORK

pytestmark = pytest.mark.filterwarnings(FORK)


def turns(*times: tuple[float, float, float]) -> list[Turn]:
    """One for each process: when it asked, when it got the lock, when it let go."""
    return [Turn(number, *moments) for number, moments in enumerate(times)]


@pytest.mark.parametrize(
    "times, waits",
    [
        ([(0, 0, 5)], [0]),  # free
        ([(0, 0, 5), (1, 5, 6)], [0, 0]),  # its turn, as soon as the holder is done
        ([(0, 0, 5), (1, 7, 8)], [0, 2]),  # nobody had it for two seconds
        ([(0, 0, 5), (2, 5, 7), (1, 7, 8)], [0, 0, 2]),  # who asked later was first
        ([(0, 0, 5), (1, 5, 7), (2, 7, 8)], [0, 0, 0]),  # who asked earlier was first
        ([(0, 0, 5), (6, 6, 9), (1, 9, 10)], [0, 0, 4]),  # idle, then overtaken
        ([(0, 0, 5), (1, 6, 8), (2, 9, 10)], [0, 1, 2]),  # idle twice
        ([(0, 0, 5), (5, 5, 6)], [0, 0]),
    ],
)
def test_a_wait_counts_unless_somebody_who_asked_before_has_the_lock(
    times: list[tuple[float, float, float]], waits: list[float]
) -> None:
    assert waits_beyond(turns(*times)) == waits
    assert waits_beyond(turns(*reversed(times))) == waits


def test_only_the_part_of_a_hold_that_lies_in_the_wait_is_work_ahead() -> None:
    assert waits_beyond(turns((0, 1, 9), (8, 9.5, 10))) == [1, 0.5]


def test_a_hold_that_begins_within_another_is_two_owners() -> None:
    assert overlaps(turns((0, 0, 5), (1, 5, 6), (2, 6, 7))) == 0
    assert overlaps(turns((0, 0, 5), (1, 4, 6), (2, 6, 7))) == 1


def test_fairness_is_the_fewest_commits_through_the_most() -> None:
    assert fairness([10, 5, 8]) == 0.5
    assert fairness([3]) == 1
    assert fairness([0, 5]) == fairness([]) == fairness([0, 0]) == 0


def test_a_quantile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(200, 0, -1)]
    assert quantile(values, 0.99) == 198
    assert quantile(values, 1) == 200
    assert quantile(values, 0.5) == 100
    assert quantile(values, 0) == 1
    assert quantile([], 0.99) == 0


def test_a_short_run_measures_both_and_leaves_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    settings = LockSettings(7, seconds=0.3, processes=3, kills=4, parent=tmp_path)
    figures = measure(settings, told.append)
    assert len(figures.commits) == figures.processes == 3
    assert figures.commits_per_second == sum(figures.commits) / 0.3
    assert figures.fairness_min_max == fairness(figures.commits)
    assert figures.turns >= sum(figures.commits)
    assert 0 <= figures.wait_p99_ms <= figures.wait_max_ms <= figures.whole_wait_max_ms
    assert figures.takeovers == 4
    assert 0 < figures.takeover_median_ms <= figures.takeover_p99_ms <= figures.takeover_max_ms
    assert told == ["3 processes commit for 0.3 seconds", "4 times the lock's holder is killed"]
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_ends_by_itself_is_an_error_and_no_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = measuring._commit

    def dying(wire: object, directory: Path, path: Path, number: int) -> None:
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        real(wire, directory, path, number)  # type: ignore[arg-type]

    monkeypatch.setattr(measuring, "_commit", dying)
    with pytest.raises(SilentError, match="ended"):
        hammer(tmp_path, 2, 0.1)


class Holder:
    """Stands for an actor that says that it holds the lock."""

    status = -signal.SIGKILL

    def hear(self) -> None: ...

    def kill(self) -> int:
        return self.status


@pytest.mark.parametrize("ended", [-signal.SIGKILL, 1])
def test_only_a_holder_that_we_killed_and_that_had_the_lock_alone_is_a_take_over(
    ended: int,
) -> None:
    """Else the time until the next one is inside would be none, or less."""

    class Words(list[int]):
        def __getitem__(self, index: Any) -> Any:
            if index > 1 and ended != 1:  # while others are awaited one of them is inside
                self[1] = 5
            return super().__getitem__(index)

    holder: Any = Holder()
    holder.status = ended
    words: Any = Words([0, 0, 1, 1])
    expected = "of a holder that lives" if ended != 1 else "ended by itself"
    with pytest.raises(SilentError, match=expected):
        takeover._kill([holder, Holder()], 0, words)  # type: ignore[list-item]


def test_a_measurement_ends_early_where_it_is_asked_to(tmp_path: Path) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hammer(tmp_path, 2, 60.0, stop)
    with pytest.raises(KeyboardInterrupt):
        takeovers(tmp_path, 2, 1000, Random(1), lambda _line: None, stop)
