"""What the prompt proposes for the word that is being written.

Pure, but for the catalog that it is given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

WITH_TABLE = ("schema", "rows", "get", "find", "insert", "upsert", "update", "delete")
_ASSIGNING = ("insert", "upsert", "update")
_FILTERING = ("find", "delete", "update")
_QUERY = ("--fields", "--json", "--jsonl", "--limit", "--offset", "--order-by")
_OPTIONS: dict[str, tuple[str, ...]] = {
    "schema": ("--json", "--python"),
    "rows": _QUERY,
    "find": (*_QUERY, "--any", "--count", "--explain"),
    "upsert": ("--json", "--on"),
    "update": ("--any", "--json", "--where"),
    "delete": ("--any", "--json", "--where", "--yes"),
    "wal": ("archive", "show", "tail", "verify"),
}
_NAMES_COLUMNS = ("--fields", "--order-by", "--on")


def proposals(
    commands: Sequence[str], tables: Mapping[str, Sequence[str]], words: Sequence[str], text: str
) -> list[str]:
    """The words that ``text`` may become, behind these; ``tables`` has the columns of each."""
    return [word for word in _possible(commands, tables, words, text) if word.startswith(text)]


def _possible(
    commands: Sequence[str], tables: Mapping[str, Sequence[str]], words: Sequence[str], text: str
) -> list[str]:
    if not words:
        return [f"{name} " for name in sorted(commands)]
    command, *rest = words
    if command == "help":
        return [f"{name} " for name in sorted(commands)]
    if text.startswith("-") and rest[-1:] != ["--order-by"]:
        return [f"{option} " for option in _OPTIONS.get(command, ("--json",))]
    plain = [word for word in rest if not word.startswith("-")]
    if command not in WITH_TABLE:
        return [f"{option} " for option in _OPTIONS.get(command, ())]
    if not plain:
        return [f"{name} " for name in sorted(tables)]
    columns = tables.get(plain[0], ())
    if rest[-1] in _NAMES_COLUMNS:
        done, comma, _ = text.rpartition(",")
        sign = "-" if text[len(done + comma) :].startswith("-") else ""
        return [f"{done}{comma}{sign}{name}" for name in columns]
    if command in _ASSIGNING and rest[-1] != "--where":
        return [f"{name}=" for name in columns]
    return list(columns) if command in _FILTERING else []
