"""Faults in the openings of what kills and power cuts left behind."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bazanite_stress.explore.catalogue import WORKLOADS
from bazanite_stress.explore.errors import QUICK
from bazanite_stress.explore.openings import OPENING, Openings
from bazanite_stress.simulation.disk import PROFILES, Profile

LITTLE = replace(QUICK, starts=12, every=17)


@pytest.mark.parametrize("name", ["rows", "normal", "off", "creation"])
@pytest.mark.parametrize("profile", PROFILES)
def test_whatever_strikes_a_recovery_the_next_one_is_right(profile: Profile, name: str) -> None:
    tally = Openings(WORKLOADS[name], profile, limits=LITTLE).explore()
    assert tally.violations == []
    assert tally.points > 10
    assert tally.visited > 50


def test_what_kills_and_what_power_cuts_left_is_opened_in_every_way_that_it_can_be() -> None:
    openings = Openings(WORKLOADS["rows"], limits=replace(LITTLE, starts=60))
    shapes = openings.shapes()
    left_by = {shape.how[OPENING] for shape in shapes}
    assert left_by == {"kill", "power cut"}
    called = {call.operation for shape in shapes for call in shape.calls()}
    assert {"rename", "sync", "sync_data", "write_at", "read_at", "sync_names"} <= called
    counts = [len(shape.calls()) for shape in shapes]
    assert counts == sorted(counts, reverse=True)


def test_the_same_seed_strikes_the_same_openings() -> None:
    limits = replace(LITTLE, every=97)
    one, other = (Openings(WORKLOADS["rows"], limits=limits).explore() for _ in range(2))
    assert one == other
