"""What is counted and what is kept of a violation."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from bazanite_stress.torture.judge import Finding
from bazanite_stress.torture.report import Progress, Tally, Violation

# A killed directory up to this size is copied before it is reopened.
COPY_BYTES = 64 << 20
# So many times files are kept.
KEPT_AT_MOST = 3


class Evidence:
    """The evidence of one run."""

    def __init__(self, tally: Tally, progress: Progress) -> None:
        self._tally, self._progress = tally, progress
        self._kept = 0

    def copy_killed(self, directory: Path, scratch: Path) -> None:
        """Copy a directory as it was killed, unless it is large."""
        if sum(path.stat().st_size for path in directory.iterdir()) < COPY_BYTES:
            shutil.copytree(directory, scratch / "killed")

    def report(self, number: int, findings: Sequence[Finding]) -> None:
        """Count what was found in this round."""
        for finding in findings:
            self._tally.add(
                Violation(finding.what, finding.expected, finding.found, number, finding.worker)
            )

    def keep(self, scratch: Path, directory: Path, findings: Sequence[Finding]) -> None:
        """Keep journals, outputs, and the directory both as killed and as recovered."""
        self._kept += 1
        if self._kept > KEPT_AT_MOST:
            shutil.rmtree(scratch)
            return
        if directory.exists():
            shutil.copytree(directory, scratch / "recovered")
        listing = [asdict(finding) for finding in findings]
        (scratch / "violations.json").write_text(json.dumps(listing, indent=2), encoding="utf-8")
        if self._tally.directory is None:
            self._tally.directory = scratch
            self._progress.tell(f"violation: {findings[0].what}; kept in {scratch}")
