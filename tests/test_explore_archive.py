"""The explorer's verdict on a log archive: what it takes for whole, and what not."""

from __future__ import annotations

import pytest

from bazanite_stress.explore.archive_judge import ArchiveJudge, is_judged
from bazanite_stress.explore.catalogue_archive import ARCHIVE
from bazanite_stress.explore.explorer import Explorer, Limits, prepared
from bazanite_stress.explore.model import content_of
from bazanite_stress.explore.runner import Run, setup_model
from bazanite_stress.explore.tasks import _unaligned
from bazanite_stress.simulation.machine import Machine
from bazanite_wal.archive_format import segments_in

ROWS = ARCHIVE["archive, rows"]
FEW = Limits(exhaustive=30, sample=10, violations=1)


def done() -> tuple[Machine, Run]:
    """A machine on which all of the workload was done, and closed."""
    machine = prepared(ROWS, "journal", 512)
    run = Run(ROWS, machine, lambda _point: None)
    run.start()
    run.finish()
    return machine, run


def judged(image: dict[str, bytes], content: object) -> str:
    machine = Machine.from_image(image, "journal", 512, boot=9)
    return ArchiveJudge(ROWS, "journal", 512).complaint(machine, content)  # type: ignore[arg-type]


def test_every_workload_of_the_catalogue_is_judged() -> None:
    assert [name for name, workload in ARCHIVE.items() if not is_judged(workload)] == []


def test_a_whole_archive_is_right_and_other_rows_are_not() -> None:
    machine, run = done()
    image = dict(machine.image())
    content = run.states[-1].content()
    assert judged(image, content) == ""
    before = setup_model(ROWS).content()
    assert before != content
    assert "archive and log lead to other rows" in judged(image, before)
    assert "archive and log lead to other rows" in judged(image, content_of({"a": {}, "t": {}}))


def test_a_segment_that_is_missing_or_cut_is_a_gap() -> None:
    machine, run = done()
    content = run.states[-1].content()
    image = dict(machine.image())
    [name] = [name for name in image if segments_in([name])]
    cut = image | {name: image[name][: image[name].rindex(b"GENERATION")]}
    assert "not whole" in judged(cut, content)
    assert "not whole" in judged({n: d for n, d in image.items() if n != name}, content)


@pytest.mark.parametrize("name", ARCHIVE)
@pytest.mark.parametrize("profile", ["journal", "hostile"])
def test_a_sample_of_all_power_cuts_leaves_no_gap(name: str, profile: str) -> None:
    tally = Explorer(ARCHIVE[name], profile, limits=FEW).explore()  # type: ignore[arg-type]
    assert tally.violations == []
    assert tally.visited > 150


def test_whole_pages_keep_what_tells_of_rows() -> None:
    [workload] = _unaligned({ROWS.name: ROWS}).values()
    tally = Explorer(workload, "journal", limits=FEW).explore()
    assert tally.violations == []
    assert tally.visited > 100
