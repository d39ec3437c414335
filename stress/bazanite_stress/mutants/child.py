"""One bug in one process: plant it, run detectors, print what they found as one JSON line.

python -m bazanite_stress.mutants.child '{"bugs": [7, 9], "rounds": [["P", 300]], "stop": true}'

With "out", a directory, each finding is stored there.  "way": of each detector this one alone.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bug import Bug
from .planted import BUGS
from .planting import PlantingError, plant

if TYPE_CHECKING:
    from .detectors import Finding


def main(text: str) -> None:
    """Carry the request out; errors of the harness are part of the answer."""
    request = json.loads(text)
    started = time.monotonic()
    try:
        answer = _work(request)
    except PlantingError as error:
        answer = {"broken": str(error)}
    except Exception as error:  # noqa: BLE001  the parent reports it
        answer = {"broken": f"{type(error).__name__}: {error}"}
    answer["seconds"] = round(time.monotonic() - started, 3)
    print(json.dumps(answer), flush=True)


def _work(request: dict[str, Any]) -> dict[str, Any]:
    bugs = [BUGS[number] for number in request["bugs"]]
    planted = plant(*bugs) if bugs else None
    from .storing import store  # noqa: PLC0415  imports the engine, with the bugs in it

    gc.freeze()
    answer: dict[str, Any] = {"looked": {}, "findings": []}
    looked: dict[str, int] = answer["looked"]
    for letter, finding, looked[letter] in _looks(request, bugs):
        if finding is not None:
            found = {
                "letter": letter,
                "way": finding.way,
                "rule": finding.violation.rule,
                "states": finding.states,
                "seconds": round(finding.seconds, 3),
            }
            if request.get("out"):
                numbers = tuple(request["bugs"])
                found["stored"] = store(finding, numbers, Path(request["out"]))
            answer["findings"].append(found)
            if request["stop"]:
                break
    if planted is not None:
        answer["runs"] = planted.runs
        if not planted.runs:
            answer["broken"] = "the planted code never ran"
    return answer


def _looks(request: dict[str, Any], bugs: list[Bug]) -> Iterator[tuple[str, Finding | None, int]]:
    """Each round's letter, and for each of its ways the finding and the round's states so far."""
    from .detectors import detect  # noqa: PLC0415  as above

    for letter, limit in request["rounds"]:
        total = 0
        for finding, states in detect(letter, bugs, limit, request.get("way", "")):
            total += states
            yield letter, finding, total


if __name__ == "__main__":
    main(sys.argv[1])
