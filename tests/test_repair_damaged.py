"""``repair`` on randomly damaged copies: what is whole is saved, and the report is true.

The whole measure is ``python -m bazanite_stress.damage --copies 1000``.
"""

from __future__ import annotations

from pathlib import Path
from random import Random, SystemRandom

import pytest

from bazanite import repair
from bazanite_stress.damage.campaign import run
from bazanite_stress.damage.damaging import damage
from bazanite_stress.damage.judging import judge, truths
from bazanite_stress.damage.originals import KINDS, Kind, copy, make
from bazanite_wal import salvage
from bazanite_wal.scan import scan_log

COPIES = 64


@pytest.mark.timeout(300)
def test_random_damage_takes_no_row_that_is_whole_and_no_report_is_untrue(tmp_path: Path) -> None:
    seed = SystemRandom().randrange(1 << 30)
    again = f"python -m bazanite_stress.damage --copies {COPIES} --seed {seed}"
    campaign = run(tmp_path, seed, 0, COPIES)
    assert campaign.failures == [], f"to repeat it: {again}"
    assert campaign.copies == COPIES
    assert campaign.total.whole > 40 * COPIES


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_of_an_undamaged_directory_everything_is_saved_and_nothing_is_in_doubt(
    tmp_path: Path, kind: Kind
) -> None:
    original = tmp_path / "original"
    make(original, kind, 7)
    truth = truths(original, tmp_path / "truth")
    report = repair(original, tmp_path / "repaired")
    assert judge(truth, original, tmp_path / "repaired", report).wrong == []
    assert report.ok
    assert {name: counts.saved for name, counts in report.tables.items()} == {
        name: len(rows) for name, rows in truth.items()
    }


def test_the_judge_sees_a_row_that_is_not_saved_and_one_that_is_changed(tmp_path: Path) -> None:
    original = tmp_path / "original"
    make(original, KINDS[1], 7)
    truth = truths(original, tmp_path / "truth")
    damaged = copy(original, tmp_path / "damaged")
    report = repair(damaged, tmp_path / "repaired")
    gone, changed = sorted(truth["person"])[:2]
    truth["person"][10**6] = truth["person"][gone]
    truth["person"][changed].row["age"] = -1
    told = judge(truth, damaged, tmp_path / "repaired", report).wrong
    assert [what.split(" in ")[0] for what in told] == [
        f"person: row {changed}", "person: row 1000000",
    ]  # fmt: skip


def test_the_judge_sees_frames_of_half_a_log_that_take_rows_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = tmp_path / "original"
    make(original, KINDS[2], 7)
    truth = truths(original, tmp_path / "truth")
    damaged = copy(original, tmp_path / "damaged")
    log = (damaged / "wal.log").read_bytes()
    found = scan_log(log)
    assert found is not None
    middle = found.frames[len(found.frames) // 2]
    (damaged / "wal.log").write_bytes(log[: found.header.file_offset(middle.lsn) + 50])
    report = repair(damaged, tmp_path / "repaired")
    assert judge(truth, damaged, tmp_path / "repaired", report).wrong == []
    monkeypatch.setattr(salvage, "applied_of", lambda *_, **__: (0, False))
    report = repair(damaged, tmp_path / "wrong")
    assert judge(truth, damaged, tmp_path / "wrong", report).wrong


def test_damage_is_decided_by_its_seed(tmp_path: Path) -> None:
    make(tmp_path / "original", KINDS[0], 7)
    first, second = (copy(tmp_path / "original", tmp_path / name) for name in ("a", "b"))
    assert damage(first, Random("5 3")) == damage(second, Random("5 3"))
    assert {p.name: p.read_bytes() for p in first.iterdir()} == {
        p.name: p.read_bytes() for p in second.iterdir()
    }
