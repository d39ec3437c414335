"""What the writers said, and whether a state of the database fits it.

A writer speaks behind a commit; killed between the two, it says nothing of the last one.  So of a
state of log position L each writer's calls are those it spoke of as committed up to L, and perhaps
one more, if it spoke of none between.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bazanite import DB

from .deeds import Deeds, Note, State
from .tables import BALANCE, accounts, stored_text


class Spoken:
    """What all writers said so far.  ``texts`` is the list of packages, which never changes."""

    def __init__(self, journals: list[Path], deeds: list[Deeds], text: str) -> None:
        self._journals = journals
        self._deeds = deeds
        self._text = text
        self._states = [State() for _ in deeds]
        self._passed: list[int] = [0] * len(deeds)

    def positions(self) -> list[dict[int, int]]:
        """Of each writer, the log position of each call that it spoke of."""
        result: list[dict[int, int]] = []
        for journal in self._journals:
            data = journal.read_bytes() if journal.exists() else b""
            lines = data[: data.rfind(b"\n") + 1].splitlines()
            result.append({int(call): int(lsn) for call, lsn in (line.split() for line in lines)})
        return result

    def complaints(self, db: DB, lsn: int | None = None) -> list[str]:
        """What is wrong with this database as the state of that log position; None: the latest.

        Of the latest one all that was spoken of before the call must be there.
        """
        said = self.positions()
        found = [str(problem) for problem in db.check().problems]
        if stored_text(db) != self._text:
            found.append("the list of packages is another one")
        balances = Counter(dict.fromkeys(accounts(), BALANCE))
        notes: list[dict[int, Note]] = [{} for _ in said]
        for note in db.iterate("notes"):
            notes[note["writer"] - 1][note["n"]] = note["package"], note["body"]
        for writer, (deeds, spoken) in enumerate(zip(self._deeds, said, strict=True), 1):
            row = db.find_by_id("progress", writer)
            calls = -1 if row is None else row["calls"]
            found += self._about_calls(writer, calls, spoken, lsn)
            state = _after(deeds, max(0, calls))
            balances.update(state.moved)
            if state.notes != notes[writer - 1]:
                found.append(f"writer {writer}: its notes are not those of its {calls} calls")
        stored = {one["id"]: one["balance"] for one in db.find_all("accounts")}
        if stored != dict(balances):
            found.append(f"accounts: {stored}, and not {dict(balances)}")
        return found

    def _about_calls(
        self, writer: int, calls: int, spoken: dict[int, int], lsn: int | None
    ) -> list[str]:
        found: list[str] = []
        before = [call for call, place in spoken.items() if lsn is None or place <= lsn]
        behind = [call for call, place in spoken.items() if lsn is not None and place > lsn]
        if before and calls < max(before):
            found.append(
                f"writer {writer}: call {max(before)} was acknowledged, and {calls} are there"
            )
        if behind and calls >= min(behind):
            found.append(f"writer {writer}: call {min(behind)} came later, and {calls} are there")
        return found


def _after(deeds: Deeds, calls: int) -> State:
    state = State()
    while state.calls < calls:
        deeds.follow(state)
    return state
