"""A small directory in memory, written by hand from the format: what the check tests damage.

Table ``city`` has three rows and a deleted slot; table ``person`` refers to it and has two TEXT
values, a deleted one before them, a NULL of each kind, and a large manual id behind a sparse gap.
"""

from __future__ import annotations

import json

PERSON_FIELDS = [
    {"name": "id", "type": "PK", "size": 9, "null": False},
    {"name": "name", "type": "CHAR", "size": 6, "null": True},
    {"name": "city_id", "type": "FK", "size": 9, "null": True, "table": "city"},
    {"name": "note", "type": "TEXT", "size": 9, "null": True},
]
CITY_FIELDS = [
    {"name": "id", "type": "PK", "size": 9, "null": False},
    {"name": "name", "type": "CHAR", "size": 6, "null": False},
]
PERSON_ROW = 9 + 6 + 9 + 9 + 1
CITY_ROW = 9 + 6 + 1
SCHEMA = {
    "format": "bazanite 1",
    "int_width": 9,
    "tables": {"city": {"fields": CITY_FIELDS}, "person": {"fields": PERSON_FIELDS}},
}


class Files(dict[str, bytes]):
    """Files by name, as a View."""

    def read(self, name: str, offset: int, size: int) -> bytes:
        return self.get(name, b"")[offset : offset + size]

    def size(self, name: str) -> int:
        return len(self.get(name, b""))

    def next_data(self, name: str, offset: int) -> int | None:
        return offset

    def patched(self, name: str, offset: int, data: bytes) -> Files:
        """A copy with other bytes at one place."""
        old = self[name]
        return Files(self | {name: old[:offset] + data + old[offset + len(data) :]})

    def replaced(self, name: str, data: bytes) -> Files:
        """A copy with one file's content replaced."""
        return Files(self | {name: data})


def number(value: int) -> bytes:
    """As integers stand in every file."""
    return b"%-9d" % value


NONE = b"#" * 9


def small_directory() -> Files:
    """The directory described above, without a fault."""
    city = [
        number(1) + b"Paris ",
        b"*" * 15,
        number(3) + "Köln".encode().ljust(6),
        number(4) + b"Oslo  ",
    ]
    person = [
        number(1) + b"Ada   " + number(3) + number(12),
        number(2) + bytes(6) + NONE + NONE,
        number(400) + b"Bob   " + number(1) + number(25),
    ]
    texts = b"#" * 12 + b"4        eggs" + b"5        h\xc3\xb6he"
    return Files(
        {
            "schema.json": (json.dumps(SCHEMA, indent=2, sort_keys=True) + "\n").encode(),
            "city.dat": b"".join(row + b"\n" for row in city),
            "city__id.idx.dat": number(0) + NONE + number(2) + number(3),
            "city__free.dat": number(1),
            "city__seqnum.dat": b"4",
            "person.dat": b"".join(row + b"\n" for row in person),
            "person__id.idx.dat": number(0) + number(1) + bytes(9 * 397) + number(2),
            "person__free.dat": b"",
            "person__seqnum.dat": b"2",
            "person.text.dat": texts,
        }
    )
