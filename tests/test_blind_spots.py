"""The explorer sees what it was once blind to; each bug is planted in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bazanite_stress.mutants.planting import apply, module_source
from blind_spots import SPOTS

SCRIPT = Path(__file__).with_name("blind_spots.py")


@pytest.mark.parametrize("name", SPOTS)
def test_it_is_seen(name: str) -> None:
    for patch in SPOTS[name].patches:
        compile(apply(module_source(patch.module), [patch]), patch.module, "exec")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), name],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    answer = json.loads(done.stdout)
    assert answer["runs"] > 0
    assert answer["violations"]
