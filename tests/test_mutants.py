"""The planted bugs as data: all there, all still fitting the engine's source."""

from __future__ import annotations

import pytest

from bazanite_stress.mutants.bug import Bug
from bazanite_stress.mutants.planted import BUGS
from bazanite_stress.mutants.planting import MARKER, apply, module_source


@pytest.mark.parametrize("bug", BUGS.values(), ids=lambda bug: f"{bug.number} {bug.title}")
def test_every_patch_fits_the_engine(bug: Bug) -> None:
    sources: dict[str, str] = {}
    for patch in bug.patches:
        source = sources.get(patch.module) or module_source(patch.module)
        sources[patch.module] = apply(source, [patch])
    for module, source in sources.items():
        compile(source, module, "exec")
    assert any(MARKER in source for source in sources.values())
