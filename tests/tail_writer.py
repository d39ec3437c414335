"""A program that commits until it is killed, and says what was acknowledged.

    python tests/tail_writer.py DIR NAME SEED

Each transaction inserts one event, which nobody changes, and does something to the accounts; then
"LSN TAG" is printed.
"""

from __future__ import annotations

import random
import sys

from bazanite import CHAR, DB, FK, INT, PK, TEXT, Field, Schema, Table


class Accounts(Table):
    name = "accounts"
    schema = Schema(
        [Field("id", PK()), Field("balance", INT()), Field("note", TEXT(null=True))],
        indexes=["balance"],
    )


class Events(Table):
    name = "events"
    schema = Schema(
        [
            Field("id", PK()),
            Field("tag", CHAR(20)),
            Field("account", FK("accounts", null=True, on_delete="set_null")),
        ]
    )


def opened(path: str) -> DB:
    """With a log so small that it starts anew every few transactions."""
    return DB([Accounts, Events], path, log_size_bytes=8192, lock_timeout=60)


def work(db: DB, choose: random.Random, tag: str) -> int:
    """One transaction; its log position."""
    with db.transaction() as tx:
        ids = [row["id"] for row in db.find_all("accounts")]
        note = choose.choice([None, "short", "n" * choose.randrange(400)])
        kind = choose.choice(["insert", "update", "update", "delete", "vacuum", "move"])
        account = choose.choice(ids) if ids else None
        if account is None or kind == "insert":
            account = db.insert("accounts", {"balance": choose.randrange(99), "note": note})["id"]
        elif kind == "update":
            values = {"balance": choose.randrange(99), "note": note}
            names = choose.choice([["balance"], ["note"], ["balance", "note"]])
            db.update_by_id("accounts", account, {name: values[name] for name in names})
        elif kind == "delete" and len(ids) > 5:
            db.delete_by_id("accounts", account)
            account = None
        elif kind == "vacuum":
            db.vacuum("accounts")
        elif kind == "move":
            free = max(ids) + 1
            db.insert("accounts", {"id": free, "balance": 0, "note": note})
            db.update_by_id("accounts", free, {"note": "moved"})
        db.insert("events", {"tag": tag, "account": account})
    return tx.lsn


def main(path: str, name: str, seed: str) -> None:
    """Work until somebody kills this process."""
    choose = random.Random(seed)
    with opened(path) as db:
        number = 0
        while True:
            number += 1
            tag = f"{name}.{number}"
            sys.stdout.write(f"{work(db, choose, tag)} {tag}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
