"""What a campaign adds up to: counts of any size, shards, merged parts, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bazanite_stress.explore.campaign import Campaign
from bazanite_stress.explore.merge import MergeError, merge_documents
from bazanite_stress.explore.report import as_table, count_text
from bazanite_stress.explore.tasks import Part, carry_out, plan
from bazanite_tools.cli import main
from bazanite_tools.output import long_numbers, print_json


def part(**counts: int) -> Part:
    made = Part("w", "journal", 512)
    for name, count in counts.items():
        setattr(made, name, count)
    return made


def document(shard: str, **changes: Any) -> dict[str, Any]:
    made = Campaign("ci", 3, shard, [part(points=10, exhaustive_points=5, visited=7)], canary=True)
    made.planned = 1
    return made.as_document() | changes


def test_counts_that_no_float_holds_are_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    huge = part(points=1, visited=3, covered=3)
    huge.legal = 3**10_000
    made = Campaign("soak", 0, "1/1", [huge], canary=True)
    made.planned = 1
    assert 0 <= huge.percent < 1e-300
    assert "1.6e+4771" in as_table(made)
    print_json(made.as_document())
    with long_numbers():
        document = json.loads(capsys.readouterr().out)
        assert document["addresses_legal"] == 3**10_000
    assert merge_documents([document])["verdict"] == "survived"
    assert [count_text(n) for n in (10**400 - 1, 10**400)] == ["9.9e+399", "1.0e+400"]


@pytest.mark.parametrize(
    "changes",
    [
        {"violations": 1},
        {"canary_found": False},
        {"interrupted": True},
        {"planned": 2},
    ],
)
def test_a_part_whose_figures_are_worse_than_its_verdict_is_not_believed(
    changes: dict[str, Any],
) -> None:
    assert document("1/2")["verdict"] == "survived"
    assert merge_documents([document("1/2", **changes), document("2/2")])["verdict"] != "survived"


@pytest.mark.parametrize(
    "changes",
    [
        {"shard": "3/2"},
        {"shard": "0/2"},
        {"shard": "x/y"},
        {"shard": "1"},
        {"shard": "1/1000000000000"},
        {"shard": 1},
        {"verdict": "fine"},
        {"points": "many"},
        {"seconds": None},
        {"first_violations": 3},
    ],
)
def test_a_document_that_is_no_part_of_a_campaign_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(MergeError):
        merge_documents([document("1/2") | changes, document("2/2")])
    (tmp_path / "deep.json").write_text("[" * 100_000)
    assert main(["merge", str(tmp_path / "deep.json")]) == 2


def test_a_workload_that_cannot_be_opened_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("odd_options.py").write_text(
        "from bazanite_stress.explore.workload import Workload\n"
        "SMALL = Workload('small', {'a': {'v': ['int']}}, [], options={'log_size_bytes': 1})\n"
        "ODD = Workload('odd', {'a': {'v': ['int']}}, [], options={'log': 1})\n"
    )
    for name in ("SMALL", "ODD"):
        assert main(["explore", "--workload", f"odd_options:{name}"]) == 2


def test_an_engine_that_fails_by_itself_has_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_tx: object, _files: object, _value: int) -> None:
        raise ZeroDivisionError

    task = next(task for task in plan("quick", 0) if task.name == "rows")
    monkeypatch.setattr("bazanite.sequence.write", fails)
    assert "ZeroDivisionError" in carry_out(task).violations[0].found


def test_merged_parts_survive_only_together(tmp_path: Path) -> None:
    both = merge_documents([document("1/2"), document("2/2")])
    assert (both["verdict"], both["states"], both["points"]) == ("survived", 14, 20)
    assert both["states_exhaustive_percent"] == 50
    nested = part(points=90, visited=7)
    nested.way = "nested"
    other = Campaign("ci", 3, "2/2", [nested], canary=True)
    other.planned = 1
    mixed = merge_documents([document("1/2"), other.as_document()])
    assert (mixed["points"], mixed["states_exhaustive_percent"]) == (100, 50)
    alone = merge_documents([document("2/2")])
    assert (alone["verdict"], alone["missing_shards"]) == ("not measured", ["1/2"])
    lost = merge_documents([document("1/2", verdict="lost"), document("2/2")])
    assert lost["verdict"] == "lost"
    wrong = [
        [document("1/2"), document("1/2")],
        [document("1/2"), document("2/3")],
        [document("1/2"), document("2/2", seed=4)],
        [document("1/2"), document("2/2", workload="of one's own")],
        [{"verdict": "survived"}],
    ]
    for documents in wrong:
        with pytest.raises(MergeError):
            merge_documents(documents)
    for number, made in enumerate((document("1/2"), document("2/2"))):
        (tmp_path / f"{number}.json").write_text(json.dumps(made))
    assert main(["merge", str(tmp_path / "0.json"), str(tmp_path / "1.json")]) == 0
    assert main(["merge", str(tmp_path / "0.json")]) == 1
    (tmp_path / "bad.json").write_text("[]")
    assert main(["merge", str(tmp_path / "bad.json")]) == 2


def test_the_verdict_needs_states_all_parts_and_the_canary() -> None:
    made = Campaign("quick", 0, parts=[part(visited=1)], canary=True, planned=1)
    assert made.verdict == "survived"
    made.interrupted = True
    assert made.verdict == "not measured"
    made.interrupted, made.planned = False, 2
    assert made.verdict == "not measured"
    made.canary = False
    assert made.verdict == "harness broken"
