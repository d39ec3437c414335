"""Looking up many ids at once in the row index, against looking up each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bazanite import index
from bazanite.errors import CorruptionError
from bazanite.files import TableFiles
from bazanite.index import RowIndex
from test_layer import Counted, Files

WIDTH = 3
ENTRIES = st.sampled_from([b"0  ", b"17 ", b"999", b"###", b"\0\0\0"])
DAMAGED = st.sampled_from([b"#\0#", b" 1 ", b"1 2", b"#12", b"\0\x001"])
ROWS = RowIndex(TableFiles("dir", "t"), WIDTH)


def files(data: bytes) -> Counted:
    return Counted({"t__id.idx.dat": data})


def found(view: Files, ids: list[int]) -> list[int | None] | None:
    """What each id's entry says; None if one of them is damaged."""
    try:
        return [ROWS.find(view, pk) for pk in ids]
    except CorruptionError:
        return None


@given(st.data())
def test_many_ids_are_looked_up_as_each_is(data: st.DataObject) -> None:
    kinds = st.one_of(ENTRIES, ENTRIES, ENTRIES, ENTRIES, DAMAGED)
    other = data.draw(st.sampled_from([True, False]))
    same = data.draw(st.sampled_from([b"5  ", b"###", b"\0\0\0", None]))
    entries = [same or data.draw(kinds) for _ in range(data.draw(st.integers(0, 30)))]
    if entries and other:
        entries[data.draw(st.integers(0, len(entries) - 1))] = data.draw(kinds)
    view = files(b"".join(entries) + data.draw(st.sampled_from([b"", b"", b"1", b"##"])))
    ids = sorted(data.draw(st.sets(st.integers(1, 40), min_size=1)))
    as_range = range(ids[0], ids[-1] + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_WINDOW_SIZE_BYTES", data.draw(st.sampled_from([1, 9, 30, 9999])))
        patch.setattr(index, "_SPARSE", data.draw(st.sampled_from([1, 2, 64])))
        for some in (ids, as_range):
            slots = found(view, list(some))
            assert ROWS.has_all(view, some) == (slots is not None and None not in slots)
            if slots is not None:
                assert ROWS.has_none(view, some) == (set(slots) == {None})
            elif found(view, [some[0]]) != [None]:
                assert not ROWS.has_none(view, some)


@pytest.mark.parametrize("first,step,reads", [(1, 1, 1), (1, 10, 1), (1, 1000, 100), (5, 100, 100)])
def test_ids_that_lie_close_together_are_read_together(first: int, step: int, reads: int) -> None:
    ids = range(first, first + 100 * step, step)
    view = files(b"7  " * ids.stop)
    assert ROWS.has_all(view, list(ids))
    assert view.reads == reads


def test_new_ids_behind_the_end_are_one_request_however_many_they_are() -> None:
    view = files(b"7  " * 10)
    assert ROWS.has_none(view, range(11, 10**6))
    assert view.reads == 1
    assert not ROWS.has_none(view, range(10, 10**6))
