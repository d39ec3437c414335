"""A dead writer's journal, read: what was acknowledged, what was in flight, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bazanite_stress.torture.effects import Operation
from bazanite_stress.torture.operations import Intent, operation_of

# Those that change rows when acknowledged.
UNCOMMITTED = {"rolled back", "refused", "look", "audit", "checkpoint"}


@dataclass(slots=True)
class History:
    """What one writer's journal says. `failures`: (what, expected, found)."""

    acknowledged: list[tuple[Operation, list[int]]] = field(default_factory=list)
    in_flight: Operation | None = None
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    commits: int = 0
    opened: bool = False


@dataclass(slots=True)
class Pairs:
    """The same of any journal: intents and their answers, unread. `failures` as in `History`."""

    answered: list[tuple[Intent, dict[str, Any]]] = field(default_factory=list)
    in_flight: Intent | None = None
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    opened: bool = False


def read_history(records: Iterable[tuple[str, dict[str, Any]]]) -> History:
    """Read the records of one journal."""
    pairs = read_pairs(records)
    return History(
        [(operation_of(intent), answer["ids"]) for intent, answer in pairs.answered],
        operation_of(pairs.in_flight) if pairs.in_flight else None,
        pairs.failures,
        sum(intent["kind"] not in UNCOMMITTED for intent, _ in pairs.answered),
        pairs.opened,
    )


def read_pairs(records: Iterable[tuple[str, dict[str, Any]]]) -> Pairs:
    """Pair the records of one journal. Only the last intent can lack its acknowledgement."""
    pairs = Pairs()
    intent: Intent | None = None
    for letter, data in records:
        match letter:
            case "O":
                pairs.opened = True
            case "I":
                if intent is not None:
                    raise ValueError(f"{data['token']} began before {intent['token']} had ended")
                intent = data
            case "A":
                if intent is None or intent["token"] != data["token"]:
                    raise ValueError(f"{data['token']} acknowledged, in flight: {intent}")
                pairs.answered.append((intent, data))
                intent = None
            case "V":
                pairs.failures.append((data["what"], data["expected"], data["found"]))
            case "X":
                doing = f"{intent['kind']} {intent['token']}" if intent else "open the database"
                pairs.failures.append(("exception", doing, data["error"]))
            case _:
                raise ValueError(f"unknown record {letter!r}")
    pairs.in_flight = intent
    return pairs
