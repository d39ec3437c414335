"""What all tests share: hypothesis profiles, and how to replay a failure.

The default profile is deterministic: the same examples on every machine and in every run, so a
failure in CI is a failure here.  ``HYPOTHESIS_PROFILE=explore`` looks for new ones instead.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import hypothesis
import pytest

import seam

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background job ignores Ctrl-C, and so would every process that a test interrupts
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "engine_support",
    "tools_support",
    "cli_support",
    "demo_support",
]  # their fixtures

hypothesis.settings.register_profile(
    "deterministic", derandomize=True, deadline=None, print_blob=True, database=None
)
hypothesis.settings.register_profile(
    "explore", deadline=None, print_blob=True, max_examples=2000, database=None
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "deterministic")
hypothesis.settings.load_profile(PROFILE)


@pytest.fixture(autouse=True)
def no_simulated_process_outlives_its_test() -> Generator[None, None, None]:
    """Kill what is left: its descriptors, and its locks on a directory of that test."""
    yield
    seam.kill_all()


def pytest_report_header() -> str:
    """Name the profile, and how to get the other one."""
    other = "HYPOTHESIS_PROFILE=explore looks for new examples"
    return f"hypothesis: {PROFILE} examples" + (f"; {other}" if PROFILE == "deterministic" else "")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print under each failure the command that runs it again."""
    report = yield
    if report.failed:
        profile = "" if PROFILE == "deterministic" else f"HYPOTHESIS_PROFILE={PROFILE} "
        command = f"{profile}.venv/bin/python -m pytest '{item.nodeid}'"
        report.sections.append(("replay with", command))
    return report
