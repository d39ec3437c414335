"""What experiments write: a table of its own, so that no kill hurts what people work on."""

from __future__ import annotations

from bazanite import CHAR, DATETIME, INT, PK, Field, Schema, Table

PARTS = 5
"""Rows of one transaction: afterwards there must be all of them, or none."""


class Experiments(Table):
    """One of the rows that a worker inserted in the transaction it was killed in."""

    name = "experiments"
    schema = Schema(
        [
            Field("id", PK()),
            Field("number", INT(index=True)),
            Field("worker", INT()),
            Field("part", INT(1)),
            Field("moment", CHAR(12)),
            Field("begun", DATETIME(utc=True)),
        ]
    )
