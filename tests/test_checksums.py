"""Checksums: reads believe nothing else, every answer is as without, and no crash parts them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bazanite import CHAR, DB, EQ, CorruptionError, DBError, Field, InverseJoin, Join
from bazanite.catalog_copy import COPY_NAME
from bazanite_stress.explore.catalogue import TABLES, WORKLOADS
from bazanite_stress.explore.explorer import Explorer, Limits, prepared
from bazanite_stress.explore.runner import Run
from bazanite_stress.explore.workload import Workload
from bazanite_stress.simulation.disk import PROFILES, Profile
from bazanite_wal.datafiles import DataFiles
from engine_support import TableF, data_bytes, table_class
from sums_support import filled, opened, patch

READS: dict[str, Callable[[DB], object]] = {
    "find_by_id": lambda db: db.find_by_id("a", 1),
    "find_all": lambda db: db.find_all("a"),
    "find_by_cond": lambda db: db.find_by_cond("a", EQ(text="n0")),
    "join": lambda db: db.find_by_id("b2", 1, joins=[Join("a_id", "a", "a")]),
    "inverse join": lambda db: db.find_all("b2", joins=[InverseJoin("id", "as", "a")]),
    "iterate": lambda db: list(db.tables["a"].iterate()),
    "update": lambda db: db.update_by_id("a", 1, {"text": "new"}),
    "delete": lambda db: db.delete_by_id("a", 1),
    "in a transaction": lambda db: _inside(db, lambda: db.find_by_id("a", 1)),
    "under the lock": lambda db: _locked(db, lambda: db.find_by_id("a", 1)),
}


def _inside(db: DB, call: Callable[[], object]) -> None:
    with db.transaction():
        call()


def _locked(db: DB, call: Callable[[], object]) -> None:
    with db.storage.lock():
        call()


@pytest.mark.parametrize("durability", ["full", "normal"])
@pytest.mark.parametrize("case", READS)
def test_a_digit_that_became_another_is_refused_by_each_call_that_reads_it(
    tmp_path: Path, case: str, durability: str
) -> None:
    filled(tmp_path)
    patch(tmp_path / "a.dat", 10, b"7")  # "n0" is "n7", a value like any other
    before = data_bytes(tmp_path)
    with opened(tmp_path, checksums=None, durability=durability) as db:
        with pytest.raises(CorruptionError) as caught:
            READS[case](db)
        error = caught.value
        assert (error.path, error.offset) == (f"{tmp_path}/a.dat", 0)
        assert "checksum" in error.expected
        assert "checksum" in error.found
        assert "a.sums.dat" in error.expected
        assert [(p.file, p.offset) for p in db.check().problems] == [("a.dat", 0)]
    assert data_bytes(tmp_path) == before


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a row copied to another slot": ("a.dat", lambda d: d[:15] + d[:15] + d[30:]),
    "two equal sectors apart": ("a.dat", lambda d: d[512:] + d[:512]),
    "an index entry lost": ("a__id.idx.dat", lambda d: d[:9] + b"#" * 9 + d[18:]),
    "an index of zeros": ("a__id.idx.dat", lambda d: bytes(len(d))),
    "rows cut off": ("a.dat", lambda d: d[:-30]),
    "rows cut off, all": ("a.dat", lambda _: b""),
    "an index cut off": ("a__id.idx.dat", lambda d: d[:-9]),
    "zeros behind the index": ("a__id.idx.dat", lambda d: d + bytes(9)),
    "another order of free slots": ("a__free.dat", lambda d: d[9:] + d[:9]),
    "a free slot forgotten": ("a__free.dat", lambda d: d[:9]),
    "another sequence": ("a__seqnum.dat", lambda _: b"61"),
    "a text letter": ("f.text.dat", lambda d: d[:20] + b"u" + d[21:]),
    "an erased text scratched": ("f.text.dat", lambda d: d.replace(b"#####", b"####x", 1)),
    "checksums of zeros": ("a.sums.dat", lambda d: bytes(len(d))),
    "checksums cut off": ("a.sums.dat", lambda d: d[:-1]),
    "no checksums": ("a.sums.dat", lambda _: b""),
    "more checksums": ("a.sums.dat", lambda d: d + b"x"),
    "a separator": ("a.sums.dat", lambda d: d.replace(b"\n", b" ")),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_other_damage_is_found_and_no_answer_is_made_of_it(tmp_path: Path, case: str) -> None:
    filled(tmp_path)
    with opened(tmp_path, checksums=None) as db:
        right = _answers(db)
    name, change = DAMAGE[case]
    (tmp_path / name).write_bytes(change((tmp_path / name).read_bytes()))
    with opened(tmp_path, checksums=None) as db:
        found = _answers(db)
        assert not db.check().ok
    assert all(b in (a, "CorruptionError") for a, b in zip(right, found, strict=True))


def _answers(db: DB) -> list[Any]:
    """What every read says, and what the next insert would get."""
    calls: list[Callable[[], Any]] = []
    for name in ("a", "b2", "f"):
        calls += [partial(db.find_all, name), partial(_insert_only, db, name)]
        calls += [partial(db.find_by_id, name, pk) for pk in range(1, 203)]
    return [_outcome(call) for call in calls]


def _outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except DBError as error:
        return type(error).__name__


class _UndoneError(Exception):
    pass


def _insert_only(db: DB, name: str) -> Any:
    try:
        with db.transaction():
            row = db.insert(name, {"text": "x"})
            raise _UndoneError
    except _UndoneError:
        return row


def test_damage_beside_a_change_never_gets_a_checksum_of_its_own(tmp_path: Path) -> None:
    filled(tmp_path)
    patch(tmp_path / "a.dat", 60 * 15 + 10, b"?")  # in the last row, beside which inserts go
    patch(tmp_path / "f.text.dat", 12, b"?")
    with opened(tmp_path, checksums=None) as db:
        db.delete_by_id("a", 2)
        db.insert("a", {"text": "free"})  # into that slot, in another block
        with pytest.raises(CorruptionError, match=r"a\.dat"):
            db.insert("a", {"text": "x"})
        with pytest.raises(CorruptionError, match=r"f\.text"):
            db.delete_by_id("f", 3)
        assert {p.file for p in db.check().problems} >= {"a.dat", "f.text.dat"}


# ------------------------------------------------------------------------- the same database, twice

_IDS = st.integers(1, 5)
_TEXTS = st.text("aä#*\0", max_size=300).filter(lambda t: t[:1] not in ("*", "\0"))
_STEPS = st.one_of(
    st.tuples(st.just("insert"), st.just("a"), st.fixed_dictionaries({"n": st.integers(-9, 9)})),
    st.tuples(st.just("insert"), st.just("a"), st.fixed_dictionaries({"id": st.integers(1, 90)})),
    st.tuples(st.just("insert"), st.just("t"), st.fixed_dictionaries({"a": _IDS, "v": _TEXTS})),
    st.tuples(st.just("insert_many"), st.just("t"), st.lists(st.just({"v": "x" * 90}), max_size=9)),
    st.tuples(st.just("update"), st.just("t"), _IDS, st.fixed_dictionaries({"v": _TEXTS})),
    st.tuples(st.just("update"), st.just("a"), _IDS, st.fixed_dictionaries({"id": _IDS})),
    st.tuples(st.just("delete"), st.sampled_from("at"), _IDS),
    st.tuples(st.just("truncate"), st.sampled_from("at"), st.booleans()),
    st.tuples(st.just("find"), st.sampled_from("at"), _IDS),
    st.tuples(st.just("checkpoint")),
    st.tuples(st.just("reopen")),
).map(list)
_GROUPS = st.recursive(
    _STEPS,
    lambda inner: st.tuples(
        st.sampled_from(["transaction", "rollback"]), st.lists(inner, max_size=3)
    ).map(list),
    max_leaves=5,
)


@settings(max_examples=60)
@given(st.lists(_GROUPS, max_size=12))
def test_every_call_answers_as_without_checksums(steps: list[Any]) -> None:
    answers = []
    for checksums in (False, True):
        options = {"checksums": checksums, "log_size_bytes": 8192}
        workload = Workload("random", TABLES, steps, options=options)
        run = Run(workload, prepared(workload, "journal", 512), lambda _point: None)
        run.start()
        said: list[Any] = []
        for step in steps:
            try:
                assert run.session is not None
                said.append(run.session.perform(step))
            except (DBError, ValueError) as error:
                said.append(f"{type(error).__name__} {error}")
        assert run.db is not None
        said.append([run.db.find_all(name) for name in TABLES])
        assert run.db.check().problems == []
        run.db.close()
        files = run.machine.image()
        ours = [n for n in files if n.endswith(".dat") and "sums" not in n]
        said.append({name: files[name] for name in ours if name != COPY_NAME})
        answers.append(said)
    assert answers[0] == answers[1]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["creation", "three", "slot reuse", "truncate", "savepoints"])
def test_a_power_cut_leaves_rows_and_checksums_that_agree(name: str, profile: Profile) -> None:
    workload = WORKLOADS[name]
    workload = replace(workload, options={**workload.options, "checksums": True})
    tally = Explorer(workload, profile, limits=Limits(exhaustive=60, sample=12)).explore()
    assert tally.violations == []
    assert tally.points > 20


@pytest.mark.parametrize("checksums", [False, True])
def test_a_row_by_id_reads_little_more_than_the_row(
    tmp_path: Path, checksums: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counted(self: DataFiles, name: str, offset: int, size: int) -> bytes:
        data = there(self, name, offset, size)
        read.append(len(data))
        return data

    with opened(tmp_path, TableF, checksums=checksums) as db:
        db.insert_many("f", [{"text": "twenty bytes of text"} for _ in range(2000)])
        there = DataFiles.read
        monkeypatch.setattr(DataFiles, "read", counted)
        db.find_by_id("f", 1000)
        assert 0 < sum(read) < 4096
        read.clear()
        db.find_all("f")
        assert len(read) < 60  # many at once where many are wanted


def test_types_of_a_programs_own_are_covered_too(tmp_path: Path) -> None:
    own = type("MARK", (CHAR,), {})
    table = table_class("own", Field("m", own(5)))
    with opened(tmp_path, table) as db:
        db.insert("own", {"m": "abc"})
    patch(tmp_path / "own.dat", 9, b"x")
    with opened(tmp_path, table) as db, pytest.raises(CorruptionError):
        db.find_by_id("own", 1)
