"""Adding up the parts of a campaign that was spread over several machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_SAME = ("profile", "seed", "workload")
_SUMS = (
    "workloads", "points", "states", "states_unique", "addresses_legal", "addresses_covered",
    "violations", "planned", "jobs",
)  # fmt: skip
_WORST = ("harness broken", "lost", "not measured", "survived")


class MergeError(ValueError):
    """These documents are not the parts of one campaign; the text says why."""


def merge_documents(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One document like those of the parts; a missing part makes it "not measured"."""
    try:
        return _merged(documents)
    except (KeyError, TypeError, AttributeError) as error:
        raise MergeError(f"a document lacks {error}") from error


def _merged(documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    first = documents[0]
    for key in _SAME:
        if {document[key] for document in documents} != {first[key]}:
            raise MergeError(f"the documents differ in {key}: they are no parts of one campaign")
    counts = {document["shard"].partition("/")[2] for document in documents}
    shards = [document["shard"] for document in documents]
    if len(counts) != 1:
        raise MergeError("the documents are parts of campaigns that were split differently")
    if len(set(shards)) != len(shards):
        raise MergeError("a part is given twice")
    missing = sorted({f"{i + 1}/{n}" for n in counts for i in range(int(n))} - set(shards))
    verdict = min((document["verdict"] for document in documents), key=_WORST.index)
    if missing and verdict == "survived":
        verdict = "not measured"
    result: dict[str, Any] = {"verdict": verdict} | {key: first[key] for key in _SAME}
    result |= {key: sum(document[key] for document in documents) for key in _SUMS}
    exhaustive = sum(d["states_exhaustive_percent"] * d["points"] for d in documents)
    result["states_exhaustive_percent"] = round(exhaustive / max(result["points"], 1), 2)
    result["seconds"] = max(document["seconds"] for document in documents)
    result["states_per_second"] = round(sum(d["states_per_second"] for d in documents), 1)
    result["canary_found"] = all(document["canary_found"] for document in documents)
    result["missing_shards"] = missing
    result["first_violations"] = [v for document in documents for v in document["first_violations"]]
    return result


def merged_table(document: dict[str, Any]) -> str:
    """The same for people."""
    rows = [
        ("verdict", document["verdict"]),
        ("profile", f"{document['profile']}, seed {document['seed']}"),
        ("missing parts", ", ".join(document["missing_shards"]) or "none"),
        ("crash points", f"{document['points']:,}"),
        ("states", f"{document['states']:,}, different {document['states_unique']:,}"),
        ("exhaustive", f"{document['states_exhaustive_percent']} % of the crash points"),
        ("violations", f"{document['violations']:,}"),
    ]
    return "\n".join(f"{name:<16}{text}" for name, text in rows)
