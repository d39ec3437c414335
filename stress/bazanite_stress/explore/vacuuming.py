"""A workload's vacuum in steps so small that a few rows take several transactions."""

from __future__ import annotations

from bazanite import DB, vacuum, vacuum_texts

_SMALL = ((vacuum, "SMALL_BYTES", 0), (vacuum, "SLOTS_AT_ONCE", 4), (vacuum, "MOST_ROWS", 2))
_SMALL_TEXTS = ((vacuum_texts, "STEP_VALUES", 2), (vacuum_texts, "STEP_SPAN", 1500))


class _Small:
    """How many vacuums are under way, in whichever simulated process, and what was before."""

    count = 0
    usual = tuple(
        (module, name, getattr(module, name)) for module, name, _ in (*_SMALL, *_SMALL_TEXTS)
    )


def vacuumed_bit_by_bit(db: DB, table: str) -> None:
    """Vacuum the table, two rows and two long values at a time."""
    _Small.count += 1
    for module, name, value in (*_SMALL, *_SMALL_TEXTS):
        setattr(module, name, value)
    try:
        db.vacuum(table)
    finally:
        _Small.count -= 1
        if not _Small.count:
            for module, name, usual in _Small.usual:
                setattr(module, name, usual)
