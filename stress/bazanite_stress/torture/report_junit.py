"""A run as JUnit XML, which build servers show: a test case for each kind of round, and for each
moment that has to be met.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from bazanite_stress.crowd.plans import ENOUGH_HITS
from bazanite_stress.torture.chronicle import Chronicle, Kind
from bazanite_stress.torture.report import Tally, Violation, one_line
from bazanite_stress.torture.report_html import verdict_text

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TEXT_AT_MOST = 20_000
_SUITE = "bazanite torture"


def as_junit(tally: Tally, chronicle: Chronicle) -> str:
    """The document. Every way in which a run does not survive is a failure in it."""
    suite = ET.Element("testsuite", name=_SUITE, time=f"{tally.seconds:.3f}", errors="0")
    properties = ET.SubElement(suite, "properties")
    for name in ("seed", "engine", "durability", "replay"):
        ET.SubElement(properties, "property", name=name, value=_clean(str(getattr(tally, name))))
    for kind, figures in sorted(chronicle.kinds.items()):
        _round_case(suite, tally, chronicle, kind, figures)
    for moment in sorted(tally.moments.keys() | tally.moments_missing.keys()):
        _moment_case(suite, tally, moment)
    for what, why in sorted(tally.not_done.items()):
        case = ET.SubElement(suite, "testcase", classname=f"{_SUITE}.not done", name=_clean(what))
        ET.SubElement(case, "skipped", message=_clean(why))
    case = ET.SubElement(suite, "testcase", classname=_SUITE, name="verdict")
    if tally.verdict != "survived":
        failure = ET.SubElement(case, "failure", type=tally.verdict, message=verdict_text(tally))
        failure.text = _clean(f"verdict {tally.verdict}\nreplay  {tally.replay}")
    cases = suite.findall("testcase")
    failed = sum(case.find("failure") is not None for case in cases)
    skipped = sum(case.find("skipped") is not None for case in cases)
    counts: dict[str, str] = {"tests": str(len(cases)), "failures": str(failed)}
    suite.attrib.update(counts | {"skipped": str(skipped)})
    root = ET.Element("testsuites", {"name": _SUITE} | counts)
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _round_case(
    suite: ET.Element, tally: Tally, chronicle: Chronicle, kind: str, figures: Kind
) -> None:
    time = f"{figures.seconds:.3f}"
    case = ET.SubElement(suite, "testcase", classname=f"{_SUITE}.rounds", name=kind, time=time)
    if figures.wrong:
        found = [v for v in tally.violations if chronicle.kind_of.get(v.round) == kind]
        first = f": {one_line(found[0].what)}" if found else ""
        message = (
            f"{figures.violation_count} violations in {figures.wrong} of {figures.rounds} rounds"
        )
        failure = ET.SubElement(case, "failure", type="lost", message=_clean(message + first))
        text = "\n\n".join([*map(_told, found), f"replay    {tally.replay}"])
        failure.text = _clean(text[:_TEXT_AT_MOST])


def _told(violation: Violation) -> str:
    return (
        f"{violation.what}, round {violation.round}\n"
        f"expected  {violation.expected}\nfound     {violation.found}"
    )


def _moment_case(suite: ET.Element, tally: Tally, moment: str) -> None:
    case = ET.SubElement(suite, "testcase", classname=f"{_SUITE}.moments", name=_clean(moment))
    if moment in tally.moments_missing:
        count = tally.moments_missing[moment]
        failure = ET.SubElement(case, "failure", type="not measured")
        failure.set("message", f"met {count} times")
        failure.text = f"expected  {ENOUGH_HITS} hits or more\nfound     {count}"


def _clean(text: str) -> str:
    """The text without what no XML document may contain, not even escaped."""
    return _NOT_XML.sub(lambda match: ascii(match[0])[1:-1], text)
