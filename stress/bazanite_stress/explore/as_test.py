"""A violation as a test for pytest: a file that needs nothing but the installed packages.

It fails while the engine has the fault.  It looks at the recorded disk; an engine that takes other
steps by now is explored anew with the same workload, so the test stays of use when the fault is
gone.  With planted bugs there is a second test: that the first one fails in an engine with them.
"""

from __future__ import annotations

import pprint
import textwrap

from .again import kind_of, rule_of
from .replay import Replay
from .story import rows_table, story

_WIDTH = 92


def test_source(recorded: Replay, name: str) -> str:
    """The file's text; ``name`` is the test's, without ``test_``."""
    v = recorded.violation
    workload = v.workload.as_json()
    fields = "".join(f"    {key}={_literal(value, 4)},\n" for key, value in workload.items())
    how = f"        how={_literal(v.how, 8)},\n" if v.how else ""
    torn = v.tearing.torn or v.tearing.neighbours
    tearing = f"        tearing={v.tearing!r},\n" if torn else ""
    imports = ["from bazanite_stress.explore.again import broken_again",
               "from bazanite_stress.explore.runner import Point",
               "from bazanite_stress.explore.workload import Workload"]  # fmt: skip
    if torn:
        imports.append("from bazanite_stress.simulation.legal import Tearing")
    planted = ""
    if recorded.bugs:
        planted = f"\nPlanted: bug {', '.join(map(str, recorded.bugs))}."
        imports.append("from bazanite_stress.mutants.with_bugs import failure_of")
    return (
        f"{_docstring(f'{_wrapped(story(v))}{planted}', rows_table(v))}\n\n"
        + "\n".join(imports)
        + f"\n\nWORKLOAD = Workload(\n{fields})\n\n\n"
        f"def test_{name}() -> None:\n"
        f"    broken = broken_again(  # a {kind_of(v)}\n"
        "        WORKLOAD,\n"
        f"        profile={v.profile!r},\n"
        f"        sector={v.sector},\n"
        f"        point={v.point!r},\n"
        f"        prefix={v.prefix},\n"
        f"        choice={v.choice!r},\n"
        f"        older={_literal(dict(recorded.older), 8)},\n"
        f"{how}{tearing}"
        f"        rule={_literal(v.rule, 8)},\n"
        "    )\n"
        "    assert not broken, broken\n"
        f"{_planted_test(recorded, name) if recorded.bugs else ''}"
    )


test_source.__test__ = False  # type: ignore[attr-defined]  # pytest must not collect it


def _planted_test(recorded: Replay, name: str) -> str:
    rule = _literal(rule_of(recorded.violation), 8)
    return (
        f"\n\ndef test_{name}_fails_with_the_bug() -> None:\n"
        f'    failure = failure_of(__file__, "test_{name}", bugs={recorded.bugs!r})\n'
        f"    assert {rule} in failure, failure\n"
    )


def _literal(value: object, indent: int) -> str:
    text = pprint.pformat(value, width=_WIDTH - indent, sort_dicts=False)
    return textwrap.indent(text, " " * indent).lstrip()


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def _docstring(sentence: str, table: str) -> str:
    body = f"{sentence}\n\n{textwrap.indent(table, '    ')}\n"
    escaped = body.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{escaped}"""'
