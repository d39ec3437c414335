"""A replay in a process of its own, with planted bugs in its engine; prints one JSON document.

    python -m bazanite_stress.explore.fresh FILE TIMES

Bugs are planted before the engine is imported: nothing imported above may import it.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any


def main(file: str, times: str) -> None:
    """Plant what the file names, replay, print."""
    document = json.loads(Path(file).read_text(encoding="utf-8"))
    try:
        planted = plant(document["bugs"])
        from .replay import from_document, replay  # noqa: PLC0415  with the bugs in the engine

        answer = replay(from_document(document), int(times)).as_document()
        if not planted.runs:
            answer = {"error": "the planted code never ran"}
    except Exception as error:  # noqa: BLE001  the parent says it
        answer = {"error": str(error) or type(error).__name__}
    print(json.dumps(answer))


def plant(numbers: list[int]) -> Any:
    """Put these bugs into the engine that is imported next; ``runs`` counts when their code ran."""
    try:
        known = importlib.import_module("bazanite_stress.mutants.planted").BUGS
    except ModuleNotFoundError:
        known = {}
    missing = [number for number in numbers if number not in known]
    if missing:
        raise ValueError(f"no planted bug {missing[0]} in this version")
    planting = importlib.import_module("bazanite_stress.mutants.planting")
    return planting.plant(*(known[number] for number in numbers))


if __name__ == "__main__":
    main(*sys.argv[1:])
