"""A program that moves money until it is killed, and says how far it is acknowledged.

    python tests/read_only_writer.py DIR DURABILITY SEED

Each transaction moves an amount between two accounts and counts itself; then the count is printed.
"""

from __future__ import annotations

import random
import sys

from bazanite import CHAR, DB, INT, PK, Field, Schema, Table

ACCOUNTS, EACH = 30, 100


class Account(Table):
    name = "account"
    schema = Schema([Field("id", PK()), Field("balance", INT()), Field("note", CHAR(40))])


class Counter(Table):
    name = "counter"
    schema = Schema([Field("id", PK()), Field("n", INT())])


def opened(path: str, durability: str) -> DB:
    """With a log so small that it starts anew every few transactions."""
    return DB([Account, Counter], path, durability=durability, log_size_bytes=8192)


def filled(path: str, durability: str) -> DB:
    """All accounts with the same in them."""
    db = opened(path, durability)
    with db.transaction():
        db.insert_many("account", [{"balance": EACH, "note": "new"}] * ACCOUNTS)
        db.insert("counter", {"n": 0})
    return db


def move(db: DB, choose: random.Random) -> int:
    """One transaction; how many there were."""
    giver, taker = choose.sample(range(1, ACCOUNTS + 1), 2)
    amount = choose.randrange(1, 50)
    with db.transaction():
        for pk, change in ((giver, -amount), (taker, amount)):
            row = db.find_by_id("account", pk)
            assert row is not None
            note = "x" * choose.randrange(40)
            db.update_by_id("account", pk, {"balance": row["balance"] + change, "note": note})
        counter = db.find_by_id("counter", 1)
        assert counter is not None
        return int(db.update_by_id("counter", 1, {"n": counter["n"] + 1})["n"])


def main(path: str, durability: str, seed: str) -> None:
    """Work until somebody kills this process; now and then leave and come back."""
    choose = random.Random(seed)
    while True:
        with opened(path, durability) as db:
            for _ in range(choose.randrange(5, 60)):
                count = move(db, choose)
                sys.stdout.write(f"{count}\n")
                sys.stdout.flush()
                if choose.random() < 0.05:
                    db.checkpoint()


if __name__ == "__main__":
    main(*sys.argv[1:])
