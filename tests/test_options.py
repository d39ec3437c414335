"""What a caller can ask of a store, and what makes no sense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bazanite_wal.errors import ValidationError
from bazanite_wal.options import StoreOptions
from store_support import get, opened, put

HUGE = 10**5000
"""Python refuses to print a number of so many digits."""


def test_the_defaults_are_durable_and_of_the_documented_sizes() -> None:
    options = StoreOptions()
    assert (options.durability, options.level, options.sector) == ("full", 1, 1)
    assert options.file_size == 8192 + (4 << 20)
    assert StoreOptions(powersafe_overwrite=False).sector == 4096


@pytest.mark.parametrize(
    "wrong",
    [
        {"durability": "FULL"}, {"durability": ""}, {"lock_timeout": -1}, {"commit_timeout": 0},
        {"lock_timeout": float("nan")}, {"commit_timeout": float("nan")},
        {"log_size_bytes": 8191}, {"checkpoint_bytes": 0}, {"checkpoint_bytes": -5},
        {"lock_timeout": -HUGE}, {"commit_timeout": -HUGE}, {"log_size_bytes": -HUGE},
        {"checkpoint_bytes": -HUGE}, {"checkpoint_bytes": HUGE}, {"durability": HUGE},
    ],
)  # fmt: skip
def test_an_option_that_makes_no_sense_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        StoreOptions(**wrong)


@pytest.mark.parametrize("timeout", [0.0, 1e12, float("inf")])
def test_a_timeout_of_any_length_is_accepted_by_the_operating_system(
    tmp_path: Path, timeout: float
) -> None:
    store = opened(tmp_path, lock_timeout=timeout, commit_timeout=timeout or 5)
    put(store, b"x")
    store.checkpoint()
    assert get(store) == b"x"
    store.close()
