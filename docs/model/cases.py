"""What is checked of the model: its runs, and its rules, each of which is left out in turn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Case:
    """One check: what it is about, its bounds, and the rules it leaves out (none: a run).

    ``complete`` says whether a run ends within ``seconds``; a rule is seen much earlier.
    """

    name: str
    about: str
    bounds: str
    rules: tuple[str, ...] = ()
    seconds: int = 120
    quick: bool = False
    complete: bool = True

    def macros(self) -> list[str]:
        """The model's macros, for the command line of spin."""
        bounds = [f"-D{bound}" for bound in self.bounds.split()]
        return bounds + [f"-DRULE_{rule}=0" for rule in self.rules]


RUNS: list[Case] = [
    Case(
        "group",
        "two writers, group commit, refusals, a held lock",
        "TXS=3 SLOTS=2 REFUSALS=1 HELD=1",
        seconds=120,
    ),
    Case(
        "start",
        "two processes open an empty directory at once; kills",
        "TXS=1 KILLS=1",
        seconds=60,
    ),
    Case(
        "kill",
        "one is killed, anywhere; the others go on, the log is full",
        "TXS=3 KILLS=1 HELD=1 ATTACHED=1",
        seconds=240,
    ),
    Case(
        "kill-cut",
        "a kill, and a power cut anywhere",
        "KILLS=1 CUTS=1 ATTACHED=1",
        seconds=240,
    ),
    Case(
        "recovery",
        "recovery killed and cut, of a log with frames",
        "WRITERS=1 KILLS=1 CUTS=2 SLOTS=3",
        seconds=120,
    ),
    Case(
        "adopt",
        "a dead holder's frame that END does not count; a power cut",
        "CUTS=1 ATTACHED=1 LEFT=1",
        seconds=120,
        quick=True,
    ),
    Case(
        "checkpoint",
        "checkpoints, a kill and a power cut",
        "TXS=1 KILLS=1 CUTS=1 CHECKPOINTS=1 ATTACHED=1",
        seconds=240,
    ),
    Case(
        "failed-sync",
        "a sync that fails, told to every open file; a power cut",
        "FAILS=1 CUTS=1 ATTACHED=1",
        seconds=120,
    ),
    Case(
        "failed-once",
        "a sync that fails, told once; a kill",
        "FAILS=1 TOLD_ONCE=1 KILLS=1 CHECKPOINTS=1 TXS=1 ATTACHED=1",
        seconds=120,
    ),
    Case(
        "write-back",
        "a write-back that fails by itself; a kill, late openers",
        "WRITEBACKS=1 KILLS=1 CHECKPOINTS=1 TXS=1",
        seconds=240,
    ),
    Case(
        "reader",
        "a reader without the lock, a kill",
        "READERS=1 READS=1 WRITERS=1 TXS=2 KILLS=1",
        seconds=120,
    ),
    Case(
        "fork",
        "the first writer forks, anywhere, and is killed",
        "TXS=1 FORKS=1 KILLS=1 VICTIMS=1 ATTACHED=1",
        seconds=120,
    ),
    Case(
        "stop",
        "one process stops for ever, anywhere, and is killed later; a cut",
        "STOPS=1 KILLS=1 CUTS=1 TXS=1 ATTACHED=1",
        seconds=120,
    ),
    Case(
        "stop-all",
        "two processes stop for ever",
        "STOPS=2 TXS=2 HELD=1 CHECKPOINTS=1 ATTACHED=1",
        seconds=120,
    ),
]

RULES: list[Case] = [
    Case(
        "APPLY_DURABLE",
        "only frames below DURABLE are applied",
        "CUTS=1",
        ("APPLY_DURABLE",),
    ),
    Case(
        "ONE_DURABLE",
        "DURABLE is read once",
        "ATTACHED=1",
        ("ONE_DURABLE",),
        quick=True,
    ),
    Case(
        "SEQUENCE_OR",
        "SEQUENCE |= 1, not += 1",
        "READERS=1 KILLS=1 WRITERS=1",
        ("SEQUENCE_OR",),
    ),
    Case(
        "SEQUENCE_TWICE",
        "SEQUENCE is read again after the files",
        "READERS=1 READS=1 WRITERS=1 TXS=1",
        ("SEQUENCE_TWICE",),
        quick=True,
    ),
    Case(
        "HORIZON",
        "a refusal waits for what it saw",
        "CUTS=1 REFUSALS=1 ATTACHED=1",
        ("HORIZON",),
    ),
    Case(
        "TELL_SYNCED",
        "DURABLE moves to the END from before the sync",
        "CUTS=1",
        ("TELL_SYNCED",),
    ),
    Case(
        "PUBLISH_UNDER_SYNC",
        "DURABLE is written under .sync, and never back",
        "TXS=3 SLOTS=3",
        ("PUBLISH_UNDER_SYNC",),
    ),
    Case(
        "SYNCING",
        "SYNCING found set: write again before syncing",
        "FAILS=1 TOLD_ONCE=1 KILLS=1 ATTACHED=1 VICTIMS=1",
        ("SYNCING",),
    ),
    Case(
        "JOINED_LOG",
        "so does who joined, at its first sync",
        "WRITEBACKS=1",
        ("JOINED_LOG",),
    ),
    Case(
        "POISON",
        "a failed sync refuses everyone from then on",
        "FAILS=1 TOLD_ONCE=1 CHECKPOINTS=1 ATTACHED=1",
        ("POISON",),
    ),
    Case(
        "HELP",
        "whoever waits applies, not the leader alone",
        "KILLS=1 ATTACHED=1",
        ("HELP",),
    ),
    Case(
        "DEADLINE",
        "waiting ends",
        "STOPS=1 ATTACHED=1",
        ("DEADLINE",),
        quick=True,
    ),
    Case(
        "BUSY",
        "BUSY found set: repair",
        "KILLS=1 CHECKPOINTS=1 ATTACHED=1 VICTIMS=1",
        ("BUSY",),
    ),
    Case(
        "CHAIN-ADOPT",
        "a frame must name its predecessor; a whole frame at END is adopted",
        "TXS=3 CUTS=1 ATTACHED=1 LEFT=1",
        ("CHAIN", "ADOPT"),
    ),
    Case(
        "LOAD_GENERATION",
        "another's checkpoint drops what was known",
        "CHECKPOINTS=1",
        ("LOAD_GENERATION",),
    ),
    Case(
        "CHECKPOINT_LOG",
        "sync the log before applying to the end",
        "CHECKPOINTS=1",
        ("CHECKPOINT_LOG",),
    ),
    Case(
        "DATA_FIRST",
        "sync the data before the header is written",
        "WRITERS=1 TXS=1 CUTS=1 CHECKPOINTS=1",
        ("DATA_FIRST",),
        quick=True,
    ),
    Case(
        "HEADER_SYNC",
        "the header is durable before its first frame",
        "WRITERS=1 CHECKPOINTS=1",
        ("HEADER_SYNC",),
    ),
    Case(
        "REDO_JOINED",
        "who joined in this generation redoes it",
        "TXS=1 CHECKPOINTS=1 WRITEBACKS=1",
        ("REDO_JOINED",),
    ),
    Case(
        "REDO_MARK",
        "REDO and CHECKPOINTING",
        "TXS=1 CHECKPOINTS=2 FAILS=1 KILLS=1 TOLD_ONCE=1 ATTACHED=1",
        ("REDO_MARK",),
    ),
    Case(
        "READY",
        "READY wrong: start over",
        "TXS=1 KILLS=1",
        ("READY",),
    ),
    Case(
        "RECOVERY_DURABLE",
        "_make_verified_bytes_durable before anything is trusted",
        "WRITERS=1 KILLS=1 CUTS=1",
        ("RECOVERY_DURABLE",),
    ),
    Case(
        "NEW_LOG",
        "... in a new log, not over themselves",
        "WRITERS=1 CUTS=2",
        ("NEW_LOG",),
    ),
    Case(
        "HEADER_COPY",
        "beside the header, not over it",
        "WRITERS=1 CUTS=1",
        ("HEADER_COPY",),
        quick=True,
    ),
    Case(
        "FORK_CLOSE",
        "the child closes its copies at once",
        "FORKS=1 KILLS=1 VICTIMS=1 ATTACHED=1",
        ("FORK_CLOSE",),
    ),
    Case(
        "FORK_ABANDON",
        "... closes, and never unlocks",
        "FORKS=1 ATTACHED=1",
        ("FORK_ABANDON",),
    ),
    Case(
        "FORKED",
        "the child does not take itself for its parent",
        "FORKS=1 ATTACHED=1",
        ("FORKED",),
    ),
]
