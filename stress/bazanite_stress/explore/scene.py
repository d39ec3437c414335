"""One scene of two processes: what happens, and which states are right; see ``beside``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from bazanite import DB
from bazanite.errors import DBError, DirectoryError, LockTimeout
from bazanite_stress.simulation.legal import spaces
from bazanite_stress.simulation.machine import PATH
from bazanite_stress.simulation.system import Killed, SimulatedSystem, Stuck
from bazanite_wal.attach import LOCK_NAME
from bazanite_wal.errors import CommittedNotApplied

from .explorer import broken_rule, lost_units, prepared
from .model import Model, describe
from .runner import setup_model
from .sampling import few
from .session import REFUSALS, Session, read_content
from .workload import Step

if TYPE_CHECKING:
    from .beside import Beside

Action = Literal["insert", "dies behind its frame", "unheard", "unheard ahead", "write-back"]
TOLD: tuple[Action, ...] = ("unheard ahead", "write-back")
"""What the kernel tells of to who had the file open."""
_IMPATIENT = {"lock_timeout": 0.001, "commit_timeout": 0.01}
_ROW = 40
"""The id of the second process's row, which no workload uses."""


class WrongScene(Exception):
    """A rule is broken, when, and what was found and expected."""

    def __init__(
        self,
        rule: str,
        when: str = "while they work",
        found: str = "",
        right: Iterable[Model] = (),
        lost: tuple[str, ...] = (),
    ) -> None:
        super().__init__(rule, when, found)
        self.rule = rule
        self.when = when
        self.found = found
        self.expected = tuple(describe(model.content()) for model in right)
        self.lost = lost


class _Process:
    """One simulated process with the database open."""

    def __init__(self, scene: Scene, name: str, **options: Any) -> None:
        workload = scene.beside.workload
        self.system = SimulatedSystem(scene.machine, name)
        self._workload = workload
        self._options = {**workload.options, **options}
        self.session = Session(self._open)

    @property
    def db(self) -> DB:
        return self.session.db

    def _open(self) -> DB:
        workload = self._workload
        return DB(workload.classes(), PATH, durability=workload.durability, system=self.system,
                  **self._options)  # fmt: skip

    def content(self) -> Any:
        return read_content(self.db, self._workload)


class Scene:
    """See the module's text.  ``call`` -1: the second process does nothing."""

    def __init__(self, beside: Beside, number: int, call: int, action: Action) -> None:
        self.beside = beside
        workload = beside.workload
        self.machine = prepared(workload, beside.profile, beside.sector)
        self._number = number
        self._call = call
        self._action = action
        self._table = workload.steady_table
        self._insert: Step = ["insert", self._table, {"id": _ROW}]
        self._first = _Process(self, "first")
        self._second = _Process(self, "second", **_IMPATIENT)
        self._third: _Process | None = None
        self._right = [setup_model(workload)]
        """The states of which one is true now."""
        self._lasting = list(self._right)
        """Those that a power cut may leave besides, where it may take what was acknowledged."""
        self._inserted: bool | None = False
        """Whether the second process's row is there; None if nobody knows."""
        self._unsure = False
        """Whether it may still turn out to be there: until the next transaction."""
        self._untold = False
        """Whether something is not on the disk that reads show."""
        self._during = False
        self._behind = False
        """Whether the second process acted behind what the first one's step did under the lock."""

    # ---- the plot

    def rehearse(self, calls: list[str]) -> None:
        """Note the calls of the step, nobody else doing anything."""
        self._up_to_the_step()
        self._first.system.watch = lambda operation, _name, _size: calls.append(operation)
        self._take(self._first, self.beside.workload.steps[self._number])
        self._leave()

    def play(self) -> None:
        """All of it; WrongScene if a rule is broken."""
        try:
            self._up_to_the_step()
            self._beside_the_step()
            self._look("after the step")
            self._go_on()
        except (Stuck, AssertionError) as error:
            raise WrongScene("somebody is stuck", found=repr(error)) from error
        finally:
            self._leave()

    def _leave(self) -> None:
        for process in self._alive():
            process.system.kill()

    def _up_to_the_step(self) -> None:
        for step in self.beside.workload.steps[: self._number]:
            self._take(self._first, step)

    def _beside_the_step(self) -> None:
        step = self.beside.workload.steps[self._number]
        calls = 0
        let_go = False

        def watch(operation: str, name: str, _size: int) -> None:
            nonlocal calls, let_go
            calls += 1
            if calls == self._call + 1:
                self._during = True
                self._behind = let_go
                before = self._right
                self._act()
                possible = [*self._right, *self._after(self._right, step)]
                possible += [m for n in self._after(before, step) for m in self._with_row(n)]
                if self.beside.workload.durability != "full":
                    possible += self._after(self._without_row(self._lasting), step)
                self._cut("beside the step", possible)
            if (operation, name) == ("try_lock", LOCK_NAME):  # there is more to come under it
                let_go = self._behind = False
            elif (operation, name) == ("unlock", LOCK_NAME):
                let_go = True

        self._first.system.watch = watch
        try:
            self._take(self._first, step)
        finally:
            self._first.system.watch = None
            self._during = self._behind = False

    def _go_on(self) -> None:
        """Both do more, the first one a checkpoint; what a failed sync left is dropped then."""
        if self._action in TOLD and self._untold:
            self._third = _Process(self, "third")
            self._first.system.kill()
            self._second.system.kill()
        for number, process in enumerate(self._alive(), 41):
            self._take(process, ["insert", self._table, {"id": number}])
            if process is not self._second:
                self._take(process, ["checkpoint"])
                for inode in self.machine.disk.files.values():
                    inode.evict()
            self._look(f"after row {number}")

    def _alive(self) -> list[_Process]:
        everyone = (self._first, self._second, self._third)
        return [process for process in everyone if process is not None and process.system.alive]

    def _act(self) -> None:
        """What the second process does while the first one stands still."""
        second = self._second
        try:
            if self._action == "unheard":
                with second.db.storage.lock():
                    second.system.watch = self._die_in_a_sync
                    second.db.checkpoint()
            elif self._action == "unheard ahead":
                second.system.watch = self._die_in_a_sync
                second.db.checkpoint()
            elif self._action == "write-back":
                self._lose_pages()
            else:
                if self._action != "insert":
                    second.system.watch = self._die_behind_the_frame
                second.session.perform(self._insert)
                self._inserted = True
        except Killed:
            self._inserted = None if self._action == "dies behind its frame" else False
        except CommittedNotApplied:
            self._inserted = True
        except (LockTimeout, DirectoryError):
            pass  # nothing was done
        except DBError:
            self._inserted = None
        except REFUSALS as error:
            raise WrongScene("the second process's call failed", found=repr(error)) from error
        finally:
            second.system.watch = None
        if self.beside.workload.durability != "full":
            self._lasting = _different([*self._lasting, *self._right])
        self._right = [m for model in self._right for m in self._with_row(model)]
        self._unsure = self._inserted is None

    def _die_behind_the_frame(self, operation: str, name: str, _size: int) -> None:
        if (operation, name) == ("try_lock", ".sync"):
            self._second.system.kill()
            raise Killed

    def _die_in_a_sync(self, operation: str, name: str, _size: int) -> None:
        if operation == "sync" and name.endswith(".dat") and self._lose_pages(name):
            self._second.system.kill()
            raise Killed

    def _lose_pages(self, of: str = "") -> bool:
        """Let the writing of a file's dirty pages fail, of one file or all; whether there were."""
        folder = self.machine.folder
        assert folder is not None
        for name, number in folder.names.items():
            inode = self.machine.disk.files[number]
            if inode.chains and name.endswith(".dat") and name == (of or name):
                inode.fail_sync({}, "evicted later")
                self._untold = True
        return self._untold

    # ---- the verdict

    def _with_row(self, model: Model) -> list[Model]:
        """The state with the second process's row, without, or both, as far as it is known."""
        both = self._with_and_without(model)
        return {True: both[1:], False: both[:1], None: both}[self._inserted]

    def _with_and_without(self, model: Model) -> list[Model]:
        twin = model.clone()
        twin.answer(self._insert)
        return [model, twin]

    def _without_row(self, models: list[Model]) -> list[Model]:
        """The states with the row, and without it, which may have come later."""
        return _different([m for model in models for m in self._with_and_without(model)])

    def _after(self, models: list[Model], step: Step) -> list[Model]:
        result = [model.clone() for model in models]
        for model in result:
            model.answer(step)
        return result

    def _take(self, process: _Process, step: Step) -> None:
        """One call, which must be answered as in one of the states that are right."""
        before = list(self._right)
        try:
            found, error = process.session.perform(step), ""
        except Killed:
            raise
        except REFUSALS as failure:
            found, error = None, type(failure).__name__
            if process is not self._first and isinstance(failure, LockTimeout):
                return
        # in both orders: the second process's row may have come before the call or behind it
        kept: list[Model] = []
        for start in _different([*before, *self._right]):
            model = start.clone()
            expected, refusal = model.answer(step)
            if refusal == error and (error or expected == found or expected is None):
                kept += [model] if start in self._right else []
                kept += self._with_row(model) if self._during and start in before else []
        if not kept:
            answer = f"{step}: {error or repr(found)}"
            raise WrongScene("an answer that is right in no order", found=answer)
        self._right = _different(kept)
        level = self.beside.workload.durability
        durable = {
            "full": True,
            "normal": step[0] in ("checkpoint", "archive", "reopen"),
            "off": False,
        }
        if durable[level]:  # but not what came behind its hold of the lock: not asked for
            uncovered = self._behind and level != "full"
            self._lasting = self._after(before, step) if uncovered else []
        else:  # of what came before, in any order, some may last
            during = self._after(before, step) if self._during else []
            self._lasting = self._without_row([*self._lasting, *before, *during])
        self._unsure = self._unsure and self._during

    def _look(self, when: str) -> None:
        """What everyone reads, and what a kill and a power cut leave."""
        for process in self._alive():
            try:
                content = process.content()
            except LockTimeout:
                continue
            except REFUSALS as error:
                raise WrongScene("a read failed", when, repr(error)) from error
            right = [model for model in self._right if model.content() == content]
            if not right:
                rule = "the rows of no state were read"
                raise WrongScene(rule, when, describe(content), self._right)
            # a frame that nobody has synced may still come behind what was read
            self._right = self._right if self._unsure else right
        self._killed(when)
        self._cut(when, self._right)

    def _killed(self, when: str) -> None:
        self.beside.tally.visited += 1
        machine = self.machine.after_kill()
        outcome = self.beside.judge.judge_machine(machine)
        rule = broken_rule(outcome, self._right, "full")
        if rule:
            raise WrongScene(rule, f"{when}, all killed", outcome.describe(), self._right)

    def _cut(self, when: str, right: list[Model]) -> None:
        beside, folder = self.beside, self.machine.folder
        assert folder is not None
        level = beside.workload.durability
        for space in spaces(self.machine.disk, folder):
            seed = f"{beside.limits.seed}/{self._call}/{when}/{space.prefix}"
            for choice in few(space, beside.limits.cuts, seed):
                beside.tally.visited += 1
                outcome = beside.judge.outcome(space.image(choice))
                rule = broken_rule(outcome, [*right, *self._lasting], level)
                if rule:
                    lost = lost_units(space, choice)
                    raise WrongScene(rule, f"{when}, power cut", outcome.describe(), right, lost)


def _different(models: list[Model]) -> list[Model]:
    found: dict[Any, Model] = {}
    for model in models:
        found.setdefault((model.content(), tuple(model.next_ids().items())), model)
    return list(found.values())
