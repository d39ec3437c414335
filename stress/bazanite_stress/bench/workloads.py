"""All workloads by name: what they need, what they are, and in which shapes they are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import lifecycle, operations, queries, ycsb
from .operations import Context, Work

BESIDE_READERS, BESIDE_WRITERS = 4, 2


@dataclass(frozen=True, slots=True)
class Shape:
    """How many processes, and how many threads in each."""

    processes: int
    threads: int = 1


ONE = (Shape(1),)
WIDE = (Shape(1), Shape(2), Shape(4), Shape(8), Shape(16), Shape(1, 8))
SOME = (Shape(1), Shape(8))
FEW = (Shape(1), Shape(8), Shape(1, 8))


@dataclass(frozen=True, slots=True)
class Spec:
    """A workload.  ``dataset``: what is there at the beginning.  ``shapes``: by default.

    ``many``: whether several may carry it out at once.  ``whole``: whether each operation goes
    through all rows.  ``changes``: the directory cannot be used again.  ``beside``: who works at
    the same time.
    """

    make: Callable[[Context], Work]
    dataset: str
    summary: str
    shapes: tuple[Shape, ...] = ONE
    changes: bool = False
    whole: bool = False
    opens: bool = False
    needs_log: bool = False
    needs_index: bool = False
    readable: bool = True
    beside: str = ""

    @property
    def many(self) -> bool:
        """Whether several processes or threads may carry it out at once."""
        return not self.opens and not self.beside


def _ycsb(name: str, summary: str) -> Spec:
    changes = MIXED_CHANGES & ycsb.MIXES[name].keys()
    return Spec(ycsb.of_mix(name), "users", summary, SOME, changes=bool(changes))


MIXED_CHANGES = {"update", "insert", "read_modify_write"}

WORKLOADS = {
    "insert": Spec(
        operations.Insert,
        "items",
        "one row, durable",
        WIDE,
        changes=True,
        readable=False,
    ),
    "update": Spec(
        operations.Update,
        "items",
        "one number of a row, durable",
        WIDE,
        changes=True,
        readable=False,
    ),
    "transaction": Spec(
        operations.Transaction,
        "items",
        "a row into one table, an update of another",
        FEW,
        changes=True,
        readable=False,
    ),
    "bulk-load": Spec(
        lifecycle.BulkLoad,
        "no items",
        "all rows into an empty table, one transaction",
        changes=True,
        whole=True,
        opens=True,
        readable=False,
    ),
    "read": Spec(operations.Read, "items", "a row by its id, as a dict", FEW),
    "readers-beside-writers": Spec(
        operations.ReadBeside,
        "items",
        "4 processes read by id, while 2 update",
        (Shape(BESIDE_READERS),),
        changes=True,
        beside="writers-beside-readers",
    ),
    "writers-beside-readers": Spec(
        operations.Update,
        "items",
        "the 2 that update meanwhile",
        (),
        changes=True,
        beside="readers-beside-writers",
    ),
    "scan": Spec(operations.Scan, "items", "all rows, as dicts", whole=True),
    "equality": Spec(operations.Equality, "items", "1 % of the rows, no index", whole=True),
    "range": Spec(operations.Range, "items", "greater than, 1 % of the rows, no index", whole=True),
    "indexed-read": Spec(
        operations.ReadKeyed, "keyed", "a row by a column that has an index", needs_index=True
    ),
    "indexed-insert": Spec(
        operations.InsertKeyed,
        "keyed",
        "one row, durable, into a table with two indexes",
        SOME,
        changes=True,
        needs_index=True,
    ),
    "indexed-range": Spec(
        queries.IndexedRange,
        "keyed",
        "the first 10 rows of a range, by an index, in order",
        needs_index=True,
    ),
    "ordered": Spec(
        queries.Ordered, "items", "the first 10 rows by a column without an index", whole=True
    ),
    "grouped": Spec(queries.Grouped, "items", "rows and a sum for each of 100 groups", whole=True),
    "join": Spec(
        operations.Join,
        "items with entries",
        "all rows with their rows of another (InverseJoin)",
        whole=True,
    ),
    "open": Spec(
        lifecycle.Open, "items", "a closed directory, and read one row", changes=True, opens=True
    ),
    "recovery": Spec(
        lifecycle.Recover,
        "full log",
        "open what a kill left, the log full, and read one row",
        changes=True,
        opens=True,
        needs_log=True,
    ),
    "ycsb-load": Spec(ycsb.YcsbLoad, "no users", "1,000-byte rows, one by one", SOME, changes=True),
    "ycsb-a": _ycsb("ycsb-a", "50 % reads, 50 % updates, zipfian"),
    "ycsb-b": _ycsb("ycsb-b", "95 % reads, 5 % updates, zipfian"),
    "ycsb-c": _ycsb("ycsb-c", "100 % reads, zipfian"),
    "ycsb-d": _ycsb("ycsb-d", "95 % reads of the latest, 5 % inserts"),
    "ycsb-e": _ycsb("ycsb-e", "95 % scans of 1 to 100 rows, 5 % inserts"),
    "ycsb-f": _ycsb("ycsb-f", "50 % reads, 50 % read-modify-writes, zipfian"),
}

CHOICES = [name for name in WORKLOADS if name != "writers-beside-readers"]
"""What can be asked for: the writers come with their readers."""
