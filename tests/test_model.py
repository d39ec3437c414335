"""The model of the commit protocol: its names are the code's, and SPIN agrees with it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "docs" / "model"
WAL = ROOT / "wal" / "bazanite_wal"
STEPS = (MODEL / "steps.pml").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
CHECK, CASES = MODEL / "check.py", MODEL / "cases.py"
# A comment names module and function, then the step follows.
NAMED = re.findall(r"/\* (\w+)\.(\w+)[^/]*?\*/\ninline (\w+)\(", STEPS)
INLINES = re.findall(r"^inline (\w+)\(", STEPS, re.MULTILINE)
RULE = re.compile(r"^#define RULE_(\w+) 1\s+/\* (.*) \*/$", re.MULTILINE)


def check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """One call of the runner, with nothing of this environment's that it does not need."""
    return subprocess.run(
        [sys.executable, str(CHECK), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env={"PATH": os.environ["PATH"]} | environment,
    )


def test_every_step_of_the_model_is_a_function_of_the_module_it_names() -> None:
    assert [name for _, _, name in NAMED] == INLINES
    for module, function, name in NAMED:
        assert name == function, (module, function)
        source = (WAL / f"{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"^ *def {name}\(", source, re.MULTILINE), (module, name)


def test_every_shared_word_of_the_model_is_one_of_the_code() -> None:
    words = (MODEL / "words.pml").read_text(encoding="utf-8")
    shared = (WAL / "shared.py").read_text(encoding="utf-8")
    names = re.findall(r"^(?:byte|bit) ([A-Z]+) = 0", words, re.MULTILINE)
    assert len(names) == 13
    for name in names:
        assert re.search(rf"^{name} = \d+$", shared, re.MULTILINE), name


def test_the_protocol_page_names_every_step_of_the_model_and_no_other() -> None:
    assert set(re.findall(r"`model:(\w+)`", PAGE)) == set(INLINES)


def test_every_rule_is_left_out_by_some_check_and_named_in_the_readme() -> None:
    rules = {name for name, _ in RULE.findall((MODEL / "bounds.pml").read_text(encoding="utf-8"))}
    source = CASES.read_text(encoding="utf-8")
    readme = (MODEL / "README.md").read_text(encoding="utf-8")
    assert len(rules) > 25
    used = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted(MODEL.glob("*.pml"))
        if path.name != "bounds.pml"
    )
    for rule in rules:
        assert f"RULE_{rule}" in used, rule
        assert f'"{rule}"' in source, rule
        assert f"`{rule}`" in readme, rule


def test_every_check_has_a_row_in_the_readme() -> None:
    readme = (MODEL / "README.md").read_text(encoding="utf-8")
    names = re.findall(r'Case\(\n +"([^"]+)"', CASES.read_text(encoding="utf-8"))
    tables = readme.split("## Runs")[1]
    rows = re.findall(r"^\| `([^`]+)` \|", tables, re.MULTILINE)
    assert sorted(names) == sorted(rows)


def test_a_wrong_option_or_name_is_wrong_usage() -> None:
    assert check("--nonsense").returncode == 2
    unknown = check("--only", "nobody")
    assert unknown.returncode == 2
    assert "no such check: nobody" in unknown.stderr


@pytest.mark.parametrize("missing, hint", [("spin", "apt-get install spin"), ("cc", "CC=")])
def test_a_missing_tool_is_named_with_how_to_get_it(
    tmp_path: Path, missing: str, hint: str
) -> None:
    for tool in {"spin", "cc"} - {missing}:
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    done = check("--quick", PATH=str(tmp_path))
    assert done.returncode == 2
    assert f"check.py: {missing} is not there" in done.stderr
    assert hint in done.stderr


needs_spin = pytest.mark.skipif(
    not (shutil.which("spin") and shutil.which("cc")), reason="needs spin and a C compiler"
)


@needs_spin
@pytest.mark.timeout(600)  # some seconds of work, on a machine that may be busy
def test_the_quick_profile_is_as_expected() -> None:
    done = check("--quick", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert {result["verdict"] for result in results} == {"ok"}
    runs = [result for result in results if not any("RULE_" in m for m in result["macros"])]
    assert all(result["complete"] and result["states"] > 1000 for result in runs)
    assert runs
    assert all(result["violation"] for result in results if result not in runs)
