"""What the judge of two processes takes for promised: by whom, and when."""

from __future__ import annotations

import pytest

from bazanite import DB
from bazanite_stress.explore.beside import Beside, Moment
from bazanite_stress.explore.catalogue import WORKLOADS

CHECKPOINT = 2
"""The step of the workload "normal" that makes what came before it durable."""


@pytest.fixture
def normal() -> Beside:
    """A workload whose commits only a checkpoint makes durable."""
    stage = Beside(WORKLOADS["normal"])
    assert stage.workload.steps[CHECKPOINT] == ["checkpoint"]
    return stage


def test_a_commit_behind_a_checkpoints_unlock_is_not_promised_by_it(normal: Beside) -> None:
    """The explorer called one lost which another process made while the checkpoint was returning.

    The checkpoint had let go of the lock by then, and nobody had promised that commit.
    """
    last = len(normal.calls(CHECKPOINT)) - 1
    assert normal.play(Moment(CHECKPOINT, last, "insert")) is None
    assert normal.play(Moment(CHECKPOINT, last, "dies behind its frame")) is None


def test_a_commit_ahead_of_a_checkpoints_lock_is_promised_by_it(
    normal: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same judge with a checkpoint that reads a row, and syncs nothing."""

    def idle(db: DB) -> None:
        db.find_by_id("a", 1)

    assert normal.play(Moment(CHECKPOINT, 0, "insert")) is None
    monkeypatch.setattr(DB, "checkpoint", idle)
    found = normal.play(Moment(CHECKPOINT, 0, "insert"))
    assert found is not None
    assert found.how["when"] == "after the step, power cut"
