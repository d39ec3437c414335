"""Random damage to the files of a directory: what disks, people and other programs do to files."""

from __future__ import annotations

from pathlib import Path
from random import Random

_SECTOR = 512
_IGNORED = (".lock", ".sync", ".attached", ".shared")


def damage(path: Path, random: Random, only: str = "") -> list[str]:
    """Damage a directory in one to five places; says what was done.

    ``only`` the files whose names end so.
    """
    told: list[str] = []
    for _ in range(random.randrange(1, 6)):
        names = sorted(
            p.name for p in path.iterdir() if p.name not in _IGNORED and p.name.endswith(only)
        )
        if names:
            told.append(_one(path / random.choice(names), random))
    return told


def _one(file: Path, random: Random) -> str:
    data = bytearray(file.read_bytes())
    used = len(data.rstrip(b"\0")) if random.random() < 0.9 else len(data)
    what = random.randrange(9)
    if what == 0:
        file.unlink()
        return f"{file.name}: deleted"
    if what == 1:
        more = random.randbytes(random.randrange(1, 2000))
        file.write_bytes(bytes(data) + more)
        return f"{file.name}: {len(more)} bytes appended"
    if not used:
        return f"{file.name}: nothing to damage"
    start = random.randrange(used)
    size = min(random.choice([1, 4, 16, 100, 600, 3000]), used - start)
    if what == 2:
        file.write_bytes(bytes(data[:start]))
        return f"{file.name}: cut at {start}"
    if what in (3, 4):
        bits = random.randrange(1, 4)
        for _ in range(bits):
            data[random.randrange(used)] ^= 1 << random.randrange(8)
        told = f"{bits} bits flipped"
    elif what == 5:
        data[start : start + size] = random.randbytes(size)
        told = f"{size} random bytes at {start}"
    elif what == 6:
        data[start : start + size] = bytes(size)
        told = f"{size} zeros at {start}"
    elif what == 7:
        start -= start % _SECTOR
        size = min(_SECTOR, len(data) - start)
        data[start : start + size] = bytes(size)
        told = f"sector at {start} zeroed"
    else:
        origin = random.randrange(used)
        if random.random() < 0.5:
            start, origin, size = start - start % 64, origin - origin % 64, 512
        piece = data[origin : origin + size]
        piece = piece[: len(data) - start]
        data[start : start + len(piece)] = piece
        told = f"{len(piece)} bytes from {origin} copied to {start}"
    file.write_bytes(bytes(data))
    return f"{file.name}: {told}"
