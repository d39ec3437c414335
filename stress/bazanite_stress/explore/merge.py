"""Adding up the parts of a campaign that was spread over several machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_SAME = ("profile", "seed", "workload")
_SUMS = (
    "workloads", "points", "states", "states_unique", "addresses_legal", "addresses_covered",
    "violations", "planned", "jobs",
)  # fmt: skip
_MOST_SHARDS = 100_000
_WORST = ("harness broken", "lost", "not measured", "survived")


class MergeError(ValueError):
    """These documents are not the parts of one campaign; the text says why."""


def merge_documents(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One document like those of the parts; a missing part makes it "not measured"."""
    try:
        return _merged(documents)
    except MergeError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise MergeError(f"a document lacks {error}, or has something odd there") from error


def _merged(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = documents[0]
    for key in _SAME:
        if {document[key] for document in documents} != {first[key]}:
            raise MergeError(f"the documents differ in {key}: they are no parts of one campaign")
    shards = [_shard(document["shard"]) for document in documents]
    count = shards[0][1]
    if any(n != count for _, n in shards):
        raise MergeError("the documents are parts of campaigns that were split differently")
    if len(set(shards)) != len(shards):
        raise MergeError("a part is given twice")
    given = set(shards)
    missing = [f"{i}/{count}" for i in range(1, count + 1) if (i, count) not in given]
    verdict = min(map(_verdict, documents), key=_WORST.index)
    if missing and verdict == "survived":
        verdict = "not measured"
    result: dict[str, Any] = {"verdict": verdict} | {key: first[key] for key in _SAME}
    result |= {key: sum(document[key] for document in documents) for key in _SUMS}
    cuts = [part for d in documents for part in d["parts"] if part["way"] == "power cut"]
    exhaustive = sum(part["exhaustive_points"] for part in cuts)
    points = sum(part["points"] for part in cuts)
    result["states_exhaustive_percent"] = round(100 * exhaustive / max(points, 1), 2)
    result["seconds"] = max(document["seconds"] for document in documents)
    result["states_per_second"] = round(sum(d["states_per_second"] for d in documents), 1)
    result["canary_found"] = all(document["canary_found"] for document in documents)
    result["missing_shards"] = missing
    result["first_violations"] = [v for document in documents for v in document["first_violations"]]
    return result


def _shard(text: str) -> tuple[int, int]:
    index, _, count = text.partition("/")
    numbers = index.isdecimal() and count.isdecimal()
    if not numbers or not 1 <= int(index) <= int(count) <= _MOST_SHARDS:
        raise MergeError(f"no part of a campaign: shard {text!r}")
    return int(index), int(count)


def _verdict(document: dict[str, Any]) -> str:
    """What the document says, or what its figures say if that is worse."""
    verdicts: list[str] = [document["verdict"]]
    if verdicts[0] not in _WORST:
        raise MergeError(f"no such verdict: {verdicts[0]!r}")
    if document["interrupted"] or len(document["parts"]) != document["planned"]:
        verdicts.append("not measured")
    if document["violations"]:
        verdicts.append("lost")
    if document["canary_found"] is not True:
        verdicts.append("harness broken")
    return min(verdicts, key=_WORST.index)


def merged_table(document: dict[str, Any]) -> str:
    """The same for people."""
    rows = [
        ("verdict", document["verdict"]),
        ("profile", f"{document['profile']}, seed {document['seed']}"),
        ("missing parts", ", ".join(document["missing_shards"]) or "none"),
        ("crash points", f"{document['points']:,}"),
        ("states", f"{document['states']:,}, different {document['states_unique']:,}"),
        ("exhaustive", f"{document['states_exhaustive_percent']} % of the power cuts' points"),
        ("violations", f"{document['violations']:,}"),
    ]
    return "\n".join(f"{name:<16}{text}" for name, text in rows)
