"""What a caller can ask of a store, checked."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import ValidationError, shown_value
from .frame import LARGEST_FILE
from .header import FRAMES_START
from .scan import LEAST_LOG_SIZE
from .shared import LEVELS


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How a directory is opened; ValidationError for values that make no sense.

    ``durability``: "full" (durable and applied on return), "normal" (a power cut may take the
    newest commits) or "off" (safe against kills only).  ``lock_timeout``: seconds to wait for the
    global lock when a call starts; None waits as long as it takes.  ``commit_timeout``: seconds to
    wait for another process to confirm a commit before CommitUncertain.  ``log_size_bytes``: room
    for frames in the log; ``checkpoint_bytes``: how full it may get (None: half).
    ``powersafe_overwrite``: whether a torn write leaves its sector's other bytes alone.
    ``accept_unsafe``: open although the log is missing or the last "off" session ended in a power
    cut or a failed sync, taking the table files as they are.
    """

    durability: str = "full"
    lock_timeout: float | None = None
    log_size_bytes: int = 4 << 20
    checkpoint_bytes: int | None = None
    powersafe_overwrite: bool = True
    allow_network_fs: bool = False
    accept_unsafe: bool = False
    commit_timeout: float = 60.0
    sync_bytes: int = 256 << 10
    sync_seconds: float = 1.0

    def __post_init__(self) -> None:
        if self.durability not in LEVELS:
            raise self._wrong("durability", f"must be one of {', '.join(map(repr, LEVELS))}")
        for name in ("lock_timeout", "commit_timeout", "log_size_bytes", "checkpoint_bytes"):
            value = getattr(self, name)
            optional = name in ("lock_timeout", "checkpoint_bytes")
            kinds = (int, float) if name.endswith("timeout") else (int,)
            if (value is not None or not optional) and type(value) not in kinds:
                raise self._wrong(name, "must be a number")
            if value is not None and isinstance(value, int) and value > LARGEST_FILE:
                raise ValidationError(f"{name}: must be at most {LARGEST_FILE}")
        for name in ("powersafe_overwrite", "allow_network_fs", "accept_unsafe"):
            if type(getattr(self, name)) is not bool:
                raise self._wrong(name, "must be True or False")
        if self.lock_timeout is not None and not self.lock_timeout >= 0:
            raise self._wrong("lock_timeout", "must be None or at least 0")
        if not self.commit_timeout > 0:
            raise self._wrong("commit_timeout", "must be above 0")
        if self.log_size_bytes < LEAST_LOG_SIZE:
            raise self._wrong("log_size_bytes", f"must be at least {LEAST_LOG_SIZE}")
        if self.checkpoint_bytes is not None and self.checkpoint_bytes <= 0:
            raise self._wrong("checkpoint_bytes", "must be above 0")

    def _wrong(self, name: str, rule: str) -> ValidationError:
        return ValidationError(f"{name}={shown_value(getattr(self, name))}: {rule}")

    @property
    def file_size(self) -> int:
        """The log file's size in bytes, its header slots included."""
        return FRAMES_START + self.log_size_bytes

    @property
    def level(self) -> int:
        """The durability level as it stands in the shared words."""
        return LEVELS.index(self.durability) + 1

    @property
    def sector(self) -> int:
        """The alignment of frames."""
        return 1 if self.powersafe_overwrite else 4096
