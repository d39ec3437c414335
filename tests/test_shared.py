"""The shared words: slots, the boot's token, and forgetting."""

from __future__ import annotations

from pathlib import Path

from bazanite_wal import shared
from bazanite_wal.posix import POSIX


def words() -> list[int]:
    return [0] * shared.WORD_COUNT


def test_a_boots_token_is_never_zero_and_differs_by_boot() -> None:
    assert shared.boot_token("a") != shared.boot_token("b")
    assert all(shared.boot_token(str(number)) & 1 for number in range(100))


def test_no_two_words_have_one_place() -> None:
    places = {
        name: value
        for name, value in vars(shared).items()
        if name.isupper() and name[0] != "_" and type(value) is int and value < 64
    }
    assert len(places) > 20
    assert len(set(places.values())) == len(places)


def test_slots_are_claimed_freed_and_taken_over_from_the_dead() -> None:
    found = words()
    first = shared.claim_slot(found, 10, lambda _pid: True)
    second = shared.claim_slot(found, 20, lambda _pid: True)
    assert first is not None
    assert second is not None
    assert list(shared.attached_pids(found)) == [(first, 10), (second, 20)]
    shared.free_slot(found, first)
    assert list(shared.attached_pids(found)) == [(second, 20)]
    assert shared.claim_slot(found, 30, lambda _pid: True) == first
    assert shared.claim_slot(found, 40, lambda pid: pid != 20) == second
    assert [pid for _, pid in shared.attached_pids(found)] == [30, 40]


def test_when_all_slots_are_taken_there_is_none_and_that_is_no_error() -> None:
    found = words()
    pid = 0
    while shared.claim_slot(found, pid := pid + 1, lambda _pid: True) is not None:
        pass
    assert pid == (shared.WORD_COUNT - 64) // 2 + 1
    assert len(list(shared.attached_pids(found))) == pid - 1


def test_forgetting_begins_with_ready() -> None:
    order: list[int] = []

    class Recorder(list[int]):
        def __setitem__(self, index: object, value: object) -> None:
            assert isinstance(index, int)
            order.append(index)

    class Mapping:
        words = Recorder(words())

        def clear_from(self, index: int) -> None:
            order.extend(range(index, shared.WORD_COUNT))

        def close(self) -> None:
            pass

    shared.clear_words(Mapping())
    assert order == list(range(shared.WORD_COUNT))


def test_clearing_from_a_word_on_leaves_those_before_it(tmp_path: Path) -> None:
    directory = POSIX.directory(str(tmp_path), create=True)
    mapping = directory.open_words("words", shared.WORD_COUNT, create=True)
    for index in range(shared.WORD_COUNT):
        mapping.words[index] = (1 << 64) - 1 - index
    mapping.clear_from(64)
    found = [mapping.words[index] for index in range(shared.WORD_COUNT)]
    assert found == [(1 << 64) - 1 - index for index in range(64)] + [0] * (shared.WORD_COUNT - 64)
    mapping.close()
