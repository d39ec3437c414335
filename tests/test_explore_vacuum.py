"""Vacuums of several transactions: explored, and faults in them found."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from bazanite import vacuum_rows, vacuum_texts
from bazanite.keyed import TableKeys
from bazanite_stress.explore.catalogue_vacuum import VACUUM
from bazanite_stress.explore.explorer import Explorer, Limits, prepared
from bazanite_stress.explore.runner import Run
from bazanite_stress.simulation.disk import PROFILES
from bazanite_wal import commit
from bazanite_wal.frame import FRAME

LITTLE = Limits(exhaustive=20, sample=8, violations=1)


def found(name: str) -> list[str]:
    """The rules that break in this workload, looked at briefly."""
    return [
        violation.rule
        for profile in PROFILES
        for violation in Explorer(VACUUM[name], profile, limits=LITTLE).explore().violations
    ]


@pytest.mark.parametrize("name", VACUUM)
def test_no_crash_of_a_vacuum_loses_anything(name: str) -> None:
    assert found(name) == []


@pytest.mark.parametrize("name", VACUUM)
def test_a_vacuum_takes_several_transactions(name: str) -> None:
    workload = VACUUM[name]
    run = Run(workload, prepared(workload, "journal", 512), lambda _point: None)
    with mock.patch.object(commit, "append", side_effect=commit.append) as append:
        run.start()
        run.finish()
    frames = [call for call in append.call_args_list if call.args[2] == FRAME]
    quiet = ("rollback", "checkpoint", "read")
    assert len(frames) > sum(step[0] not in quiet for step in workload.steps) + 1


@contextmanager
def _unsaid(*_: Any) -> Any:
    yield


FAULTS: dict[str, tuple[str, Any]] = {
    "rows that change": ("archive, vacuum", mock.patch.object(vacuum_rows, "moving_rows", _unsaid)),
    "a free stack of before": (
        "vacuum",
        mock.patch.object(vacuum_rows, "write_free_slots"),
    ),
    "indexes of before": (
        "vacuum of indexes",
        mock.patch.object(TableKeys, "move"),
    ),
    "values where they were": (
        "vacuum",
        mock.patch.object(vacuum_texts, "_cell", lambda offset: b"%-9d" % (offset + 9)),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_vacuum_is_seen(fault: str) -> None:
    name, patch = FAULTS[fault]
    with patch:
        assert found(name) != []
