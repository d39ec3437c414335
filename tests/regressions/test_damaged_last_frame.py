"""Damage to the last frame of a killed directory once mixed two states, without a word of it.

A process was killed after its last transaction had been applied.  Then a bit of that frame decayed.
No later watermark covered it, so it was taken for a torn tail: dropped, and the frames before it
replayed over table files that had it already.  What those frames had written too went back, what
only the last one had written stayed: one account had paid, the other had not been paid.  As long as
the machine runs, the shared words witness that the frame was durable, so it is corruption.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bazanite import CorruptionError
from bazanite_wal import shared
from bazanite_wal.offline import open_offline
from bazanite_wal.scan import NO_WITNESS, scan_log, with_witness
from seam import Killed, Seam
from store_support import LOG, core, get, opened, put


def damaged_after_kill(path: Path) -> int:
    """Two accounts in two files; the log's last frame moved money between them.  Its offset."""
    seam = Seam()
    store = opened(path, seam)
    put(store, b"10", "a.dat")
    put(store, b"10", "b.dat")
    put(store, b"11", "a.dat")
    start = core(store).words[shared.END]
    with store.transaction() as tx:
        tx.write("a.dat", 0, b"07")
        tx.write("b.dat", 0, b"14")
    place = core(store).header.file_offset(start)
    seam.kill()
    log = bytearray((path / LOG).read_bytes())
    log[place + 120] ^= 1
    (path / LOG).write_bytes(log)
    return place


def test_it_is_refused_every_time(tmp_path: Path) -> None:
    place = damaged_after_kill(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.glob("*.dat")}
    for _ in range(2):
        with pytest.raises(CorruptionError, match=r"durable up to LSN .*") as caught:
            opened(tmp_path, Seam())
        assert caught.value.offset == place
    assert {file.name: file.read_bytes() for file in tmp_path.glob("*.dat")} == before
    with open_offline(str(tmp_path)) as found:
        assert found.scan is not None
        assert found.scan.tail == "corrupt"


def test_a_death_while_recovering_does_not_lose_the_witness(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged_after_kill(tmp_path)

    def dies(*_args: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("bazanite_wal.recovery._read_log", dies)
        with pytest.raises(Killed):
            opened(tmp_path, Seam())
    with pytest.raises(CorruptionError):
        opened(tmp_path, Seam())


def test_in_another_boot_or_without_the_words_it_is_a_torn_tail_as_ever(tmp_path: Path) -> None:
    damaged_after_kill(tmp_path)
    (tmp_path / ".shared").unlink()
    store = opened(tmp_path, Seam())
    assert store.recovery is not None
    assert store.recovery.torn
    assert get(store) == b"11"


def test_words_witness_only_in_their_boot_and_for_no_later_generation(tmp_path: Path) -> None:
    store = opened(tmp_path, Seam())
    words, generation = core(store).words, core(store).header.generation
    token = words[shared.WITNESS]
    witness = shared.witness(words, token)
    assert witness == (generation, words[shared.DURABLE], words[shared.END])
    assert shared.witness(words, token ^ 2) == NO_WITNESS
    scan = scan_log((tmp_path / LOG).read_bytes())
    assert scan is not None
    further = witness.durable + 1
    for known, durable, tail in (
        (generation, further, "corrupt"),
        (generation, 0, "torn"),
        (generation + 1, further, "clean"),
        (0, further, "clean"),
    ):
        found = with_witness(scan, shared.Witness(known, durable, further))
        assert (found.tail, scan.header.generation) == (tail, generation)
