"""A writer: plans, tells the journal, does it, tells the journal again, until it is killed."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from bazanite_stress.torture import adapters
from bazanite_stress.torture.actions import Seen, perform
from bazanite_stress.torture.journal import Journal
from bazanite_stress.torture.operations import Planner, operation_of


def write(config: dict[str, Any]) -> None:
    """Write until killed, until the journal is full or so many operations are done, or until the
    database does what it must not.

    The journal always ends truthfully: what raised is left as an intent without an answer.
    """
    journal = Journal(Path(config["journal"]))
    slot, start, own = config["slot"], config["start"], config["own"]
    try:
        store = adapters.open_as_told(config)
        journal.opened()
        planner = Planner(
            Random(config["seed"]),
            own,
            slot,
            config["writers"],
            real_text=adapters.has_text(config["engine"]),
            rolls_back=adapters.can_roll_back(config["engine"]),
        )
        number = 0
        while number < config["limit"] and not journal.full:
            number += 1
            intent = planner.next(f"{slot}.{start}.{number}")
            journal.intent(intent)
            ids = perform(store, intent, own)
            journal.acknowledged(intent["token"], ids, store.last_lsn)
            own.apply(operation_of(intent).owned(), ids)
        store.close()
    except Seen as seen:
        journal.violation(seen.what, seen.expected, seen.found)
    except Exception as error:  # noqa: BLE001 - whatever the engine raises is a finding
        journal.failed(error)
