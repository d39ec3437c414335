"""Decay: flipped bits and swapped sectors are errors or harmless, and never a wrong row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import pytest

from bazanite import CorruptionError, sequence
from bazanite.catalog import decode
from bazanite.change import find_slot
from bazanite.check import check_view
from bazanite.codec import Layout
from bazanite.files import TableFiles
from bazanite.freestack import FreeStack
from bazanite.sums import covered, sum_file
from bazanite.verified import VerifiedView
from bazanite_stress.explore import damage as module
from bazanite_stress.explore.damage import (
    Damage,
    DamageTally,
    Scenario,
    damaged,
    explore_damage,
    prepare,
    scenarios,
)
from bazanite_stress.explore.damage_judge import SHARED, DamageJudge
from bazanite_stress.explore.workload import Workload
from bazanite_wal import recovery
from bazanite_wal.layer import View
from check_support import Files

SAMPLE = 15
ALL = [pytest.param(scenario, id=scenario.name) for scenario in scenarios()]


@pytest.mark.parametrize("scenario", ALL)
def test_a_sample_of_all_damage_is_found_or_harmless(scenario: Scenario) -> None:
    tally = explore_damage(scenario, sample=SAMPLE)
    assert tally.violations == []
    assert tally.visited >= SAMPLE
    assert tally.kinds["detected"] > 0
    assert tally.kinds["harmless"] > 0
    if scenario.checksums:
        assert "undetectable" not in tally.kinds
    assert all(documented(name, offset) for name, offset in tally.undetectable)


def documented(name: str, offset: int) -> bool:
    """Whether docs/format.md lists this byte among those that no checksum covers."""
    if name == "a.dat":
        return offset % 23 >= 9  # any field but the id
    if name == "t.dat":
        return offset % 28 >= 9
    return name in ("schema.json", "t.text.dat", "a__seqnum.dat", "t__seqnum.dat")


FILES = {"rows": "a.dat", "texts": "t.text.dat", "sums": "t.sums.dat", "index": "t__id.idx.dat"}
FILES |= {"free": "a__free.dat", "sequence": "a__seqnum.dat", "catalog": "schema.json"}


@pytest.mark.parametrize("name", [pytest.param(name, id=key) for key, name in FILES.items()])
def test_every_flipped_bit_is_told_where_there_are_checksums(name: str) -> None:
    case = prepare(Scenario("closed", checksums=True))
    sound = Files(case.image)
    assert check_view(sound).ok
    right = answers(sound, case.workload)
    assert not any(isinstance(answer, CorruptionError) for answer in right)
    table = name.partition(".")[0].partition("__")[0]
    for offset in range(len(sound[name])):
        for bit in range(8):
            flipped = sound.patched(name, offset, bytes([sound[name][offset] ^ 1 << bit]))
            assert not check_view(flipped).ok
            found = answers(flipped, case.workload)
            wrong = [a for a, b in zip(found, right, strict=True) if a != b]
            assert all(isinstance(answer, CorruptionError) for answer in wrong)
            refused = {error.path.removeprefix("db/") for error in wrong}
            if not name.endswith((".sums.dat", ".text.dat")):
                assert name in refused
            assert all(n.startswith(table) for n in refused)


def answers(files: Files, workload: Workload) -> list[Any]:
    """What every read through the catalog and the checksums gives, errors included."""

    def ask(question: Callable[[], Any]) -> Any:
        try:
            return question()
        except CorruptionError as error:
            return error

    catalog = ask(lambda: decode(files["schema.json"], "db"))
    if isinstance(catalog, CorruptionError):
        return [catalog] * 33
    result: list[Any] = [catalog]
    sums = [sum_file(TableFiles("db", n), spec) for n, spec in catalog.tables.items()]
    for cls in workload.classes():
        layout = Layout(TableFiles("db", cls.name), cls.schema.bind(9), 9)
        questions: list[Callable[[View], Any]] = [
            partial(all_rows, layout=layout),
            partial(last_id, layout=layout),
            *(partial(stack_entry, layout=layout, number=i) for i in range(4)),
            *(partial(find, layout=layout, pk=pk) for pk in range(1, 11)),
        ]
        for question in questions:
            view = VerifiedView(files, covered(sums))
            result.append(ask(partial(question, view)))
    return result


def all_rows(view: View, layout: Layout) -> Any:
    return list(layout.codec.rows(view))


def last_id(view: View, layout: Layout) -> int:
    return sequence.read(view, layout.files)


def stack_entry(view: View, layout: Layout, number: int) -> int | None:
    stack = FreeStack(view, layout.files, 9)
    return stack.entry(number) if number < stack.count else None


def find(view: View, layout: Layout, pk: int) -> Any:
    slot = find_slot(view, layout, pk)
    return None if slot is None else layout.codec.full_row_at(view, slot, pk)


@pytest.mark.parametrize(
    "scenario, planted",
    [
        (
            Scenario("closed", checksums=True),
            lambda: mock.patch.object(VerifiedView, "_verify"),
        ),
        (
            Scenario("killed"),
            lambda: mock.patch.object(recovery, "with_witness", lambda found, _witness: found),
        ),
        (
            Scenario("killed"),
            lambda: mock.patch.object(recovery, "refuse_what_cannot_be_trusted"),
        ),
    ],
    ids=["reads are not verified", "no witness", "corruption is not refused"],
)
def test_a_planted_fault_is_found(
    scenario: Scenario, planted: Callable[[], mock.MagicMock]
) -> None:
    with planted():
        assert explore_damage(scenario, sample=80, most_violations=1).violations


def test_the_answers_of_the_undamaged_directory_are_right() -> None:
    for scenario in scenarios():
        case = prepare(scenario)
        verdict = DamageJudge(case).verdict(case.image, case.words)
        assert (verdict.kind, verdict.wrong) == ("harmless", "")
        assert len(case.states) >= len(module.STEPS)


def test_every_byte_and_every_pair_of_sectors_is_among_the_damages() -> None:
    case = prepare(Scenario("closed"))
    groups = list(module.flips(case))
    flips = {(d.name, d.offset, d.bit) for group in groups for d in group}
    sizes = {name: len(data) for name, data in case.image.items() if not name.startswith(".")}
    assert len(flips) == 8 * (sum(sizes.values()) + 8 * len(case.words))
    assert len(flips) > 150_000
    sectors = sum(-(-size // module.SECTOR) for size in sizes.values())
    assert len(list(module.swaps(case))) == sectors * (sectors - 1) // 2


def test_a_damage_does_what_it_says() -> None:
    case = prepare(Scenario("killed"))
    image, words = damaged(case, Damage("a.dat", 10, 3))
    assert image["a.dat"][10] == case.image["a.dat"][10] ^ 8
    assert words == case.words
    image, words = damaged(case, Damage(SHARED, 17, 1))
    assert image == case.image
    assert words[2] == case.words[2] ^ 1 << 9
    image, _ = damaged(case, Damage("a__seqnum.dat", 0, other=("wal.log", 8192)))
    assert image["a__seqnum.dat"] == case.image["wal.log"][8192:8193]
    assert image["wal.log"][8192:8704] == case.image["a__seqnum.dat"].ljust(512, b"\0")


def test_a_sample_is_drawn_by_the_seed() -> None:
    def seen(seed: int) -> list[str]:
        visited: list[str] = []

        def visit(damage: Damage, *_: object) -> None:
            visited.append(str(damage))

        with mock.patch.object(module, "_visit", visit):
            tally = explore_damage(Scenario("closed"), sample=5, seed=seed)
        assert isinstance(tally, DamageTally)
        return visited

    assert seen(1) == seen(1) != seen(2)
