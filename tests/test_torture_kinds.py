"""Torture rounds with checksums, and with whole pages in the log: which they are, how judged."""

from __future__ import annotations

import json
import pickle
from itertools import product
from pathlib import Path

import pytest

from bazanite_stress.explore.workload import Workload
from bazanite_stress.torture.adapters import open_store
from bazanite_stress.torture.reader import prepare, read
from bazanite_stress.torture.report import Tally, as_json, as_table
from bazanite_stress.torture.schema import FIXED_TABLES
from bazanite_stress.torture.settings import Settings


def test_the_replay_command_has_the_shares_of_the_rounds_where_they_count() -> None:
    settings = Settings(1, checksums=0.25, whole_pages=1)
    assert "--checksums 0.25 --whole-pages 1" in settings.replay_command()
    assert "--checksums" not in Settings(1, engine="bazoola").replay_command()
    own = Settings(1, workload=Workload("w", {"t": {"n": ["int"]}}, []), workload_reference="m:W")
    assert "--checksums" not in own.replay_command()


def kinds(settings: Settings, count: int) -> list[tuple[bool, bool]]:
    """Of each round, whether it has checksums and whole pages."""
    options = [settings.options(number) for number in range(1, count + 1)]
    return [(found["checksums"], not found["powersafe_overwrite"]) for found in options]


def test_of_ten_rounds_three_have_checksums_and_two_whole_pages_as_the_seed_says() -> None:
    plans = {tuple(kinds(Settings(seed), 40)) for seed in range(20)}
    assert len(plans) == 20
    assert tuple(kinds(Settings(7), 40)) in plans
    for plan in plans:
        for first in range(0, 40, 10):
            checksums, pages = zip(*plan[first : first + 10], strict=True)
            assert (sum(checksums), sum(pages)) == (3, 2)
    assert {kind for plan in plans for kind in plan} == set(product([False, True], repeat=2))


@pytest.mark.parametrize("share", [0, 0.05, 1 / 3, 0.7, 1])
def test_a_share_of_the_rounds_is_met_in_the_long_run(share: float) -> None:
    settings = Settings(3, checksums=share, whole_pages=1 - share)
    checksums, pages = zip(*kinds(settings, 4000), strict=True)
    assert abs(sum(checksums) - 4000 * share) <= (60 if 0 < share < 1 else 0)
    assert abs(sum(pages) - 4000 * (1 - share)) <= (60 if 0 < share < 1 else 0)


def test_bazoola_is_opened_as_it_is() -> None:
    assert Settings(1, engine="bazoola", checksums=1, whole_pages=1).options(1) == {}


def test_a_report_tells_how_many_rounds_were_of_which_kind() -> None:
    tally = Tally(seed=1, engine="bazanite", durability="full", start_method="fork", writers=2)
    assert "rounds            0, with violations 0\n" in as_table(tally)
    tally.judged(wrong=True, options={"checksums": True, "powersafe_overwrite": True})
    tally.judged(wrong=False, options={"checksums": True, "powersafe_overwrite": False})
    tally.judged(wrong=False, options={})
    told = "rounds            3, 2 with checksums, 1 with whole pages in the log, with violations 1"
    assert told in as_table(tally).replace("\n" + " " * 18, " ")
    document = json.loads(as_json(tally))
    assert (document["rounds_with_checksums"], document["rounds_with_whole_pages"]) == (2, 1)


def test_bytes_that_changed_where_only_a_checksum_can_tell_are_a_violation(tmp_path: Path) -> None:
    """The control: what is read at the end of a round is verified, if the round has checksums."""
    settings = Settings(seed=1, writers=1)
    found = {}
    for checksums in (False, True):
        options = {"checksums": checksums, "powersafe_overwrite": True}
        database = settings.database(tmp_path / f"{checksums}", options)
        prepare(database | {"rows": settings.rows()})
        names = tmp_path / f"{checksums}" / "accounts.dat"
        names.write_bytes(names.read_bytes().replace(b"account 1 ", b"account 7 "))
        answer = tmp_path / f"{checksums}.answer"
        read(database | {"answer": answer})
        snapshot = pickle.loads(answer.read_bytes())
        found[checksums] = [finding.what for finding in snapshot.complaints()]
    assert found[False] == []
    assert set(found[True]) == {"unreadable", "check"}


@pytest.mark.parametrize("wanted", [False, True])
def test_a_directory_that_has_not_the_checksums_of_its_round_is_a_violation(
    wanted: bool, tmp_path: Path
) -> None:
    store = open_store("bazanite", FIXED_TABLES, tmp_path, "off", checksums=wanted)
    assert list(store.check()) == []
    other = open_store("bazanite", FIXED_TABLES, tmp_path, "off", checksums=not wanted)
    problems = list(store.check())
    assert len(problems) == len(FIXED_TABLES)
    assert all(f"checksums={not wanted}, opened with {wanted}" in found for found in problems)
    other.close()
    store.close()
