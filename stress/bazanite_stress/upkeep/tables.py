"""The list of packages that dpkg keeps, as tables that refer to each other: all of it, exactly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bazanite import CHAR, DB, FK, INT, JSON, PK, TEXT, Field, Schema, Table

DPKG_STATUS = Path("/var/lib/dpkg/status")
_ALTERNATIVE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*")
_ACCOUNTS = 8
BALANCE = 1000


class Sections(Table):
    """What packages are for."""

    name = "sections"
    schema = Schema([Field("id", PK()), Field("name", CHAR(80, unique=True))])


class Maintainers(Table):
    """Who looks after packages."""

    name = "maintainers"
    schema = Schema([Field("id", PK()), Field("name", CHAR(400, unique=True))])


class Packages(Table):
    """A stanza each; ``stanza`` is all of it, its lines by field, in order."""

    name = "packages"
    schema = Schema(
        [
            Field("id", PK()),
            Field("name", CHAR(120)),
            Field("arch", CHAR(20)),
            Field("version", CHAR(120)),
            Field("section", FK("sections", null=True, index=True)),
            Field("maintainer", FK("maintainers", null=True)),
            Field("size", INT(null=True)),
            Field("description", TEXT(null=True)),
            Field("stanza", JSON()),
        ],
        unique=[("name", "arch")],
    )


class Depends(Table):
    """What a package needs, by name."""

    name = "depends"
    schema = Schema(
        [
            Field("id", PK()),
            Field("package", FK("packages", on_delete="cascade", index=True)),
            Field("target", CHAR(120, index=True)),
        ]
    )


class Notes(Table):
    """What the writers write, about packages."""

    name = "notes"
    schema = Schema(
        [
            Field("id", PK()),
            Field("writer", INT()),
            Field("n", INT()),
            Field("package", FK("packages", on_delete="cascade", index=True)),
            Field("body", TEXT(null=True)),
        ],
        unique=[("writer", "n")],
    )


class Accounts(Table):
    """Among these the writers move amounts; the sum stays."""

    name = "accounts"
    schema = Schema([Field("id", PK()), Field("balance", INT(12))])


class Progress(Table):
    """How many calls each writer made: changed in the same transaction as what the call does."""

    name = "progress"
    schema = Schema([Field("id", PK()), Field("calls", INT())])


TABLES = [Sections, Maintainers, Packages, Depends, Notes, Accounts, Progress]


def stanzas_of(text: str) -> list[list[tuple[str, str]]]:
    """Each stanza as its fields and what stands behind their colons, continued lines included."""
    result: list[list[tuple[str, str]]] = []
    for stanza in text.split("\n\n"):
        fields: list[tuple[str, str]] = []
        for line in stanza.split("\n"):
            if line[:1].isspace() and fields:
                name, value = fields[-1]
                fields[-1] = name, f"{value}\n{line}"
            elif line:
                name, _, value = line.partition(":")
                fields.append((name, value))
        if fields:
            result.append(fields)
    return result


def text_of(stanzas: Iterable[Iterable[Iterable[str]]]) -> str:
    """The file that ``stanzas_of`` took apart."""
    return "".join(
        "".join(f"{name}:{value}\n" for name, value in stanza) + "\n" for stanza in stanzas
    )


def fill(db: DB, text: str, writers: int) -> int:
    """Store the list, and what writers begin with; returns how many packages there are."""
    stanzas = stanzas_of(text)
    read = [{name: value.strip() for name, value in stanza} for stanza in stanzas]
    with db.transaction():
        sections = _named(db, "sections", (one.get("Section") for one in read))
        people = _named(db, "maintainers", (one.get("Maintainer") for one in read))
        ids = db.insert_ids(
            "packages",
            (
                {
                    "name": one.get("Package", ""),
                    "arch": one.get("Architecture", ""),
                    "version": one.get("Version", ""),
                    "section": sections.get(one.get("Section", "")),
                    "maintainer": people.get(one.get("Maintainer", "")),
                    "size": int(size)
                    if (size := one.get("Installed-Size", "")).isdigit()
                    else None,
                    "description": one.get("Description"),
                    "stanza": [list(pair) for pair in stanza],
                }
                for one, stanza in zip(read, stanzas, strict=True)
            ),
        )
        db.insert_ids(
            "depends",
            (
                {"package": number, "target": target}
                for number, one in zip(ids, read, strict=True)
                for target in _targets(one)
            ),
        )
        db.insert_ids("accounts", ({"balance": BALANCE} for _ in range(_ACCOUNTS)))
        db.insert_ids("progress", ({"calls": 0} for _ in range(writers)))
    return len(ids)


def stored_text(db: DB) -> str:
    """The list of packages, made of its rows again."""
    rows = db.find("packages", order_by=["id"], fields=["stanza"])
    return text_of(row["stanza"] for row in rows)


def accounts() -> list[int]:
    """The ids of the accounts."""
    return list(range(1, _ACCOUNTS + 1))


def _named(db: DB, table: str, names: Iterable[str | None]) -> dict[str, int]:
    different = sorted({name for name in names if name})
    ids = db.insert_ids(table, ({"name": name} for name in different))
    return dict(zip(different, ids, strict=True))


def _targets(stanza: Mapping[str, str]) -> list[str]:
    """The names in Depends and Pre-Depends, alternatives included, each once."""
    found: dict[str, Any] = {}
    for field in ("Depends", "Pre-Depends"):
        for part in re.split(r"[,|]", stanza.get(field, "")):
            name = _ALTERNATIVE.match(part.strip())
            if name:
                found[name[0]] = None
    return list(found)
