"""A workload of one's own, found by the name of its module and refused with a reason.

The module is somebody else's program: whatever it raises when it is imported or called becomes one
sentence that says where.
"""

from __future__ import annotations

import importlib
import traceback
from types import ModuleType
from typing import Any

from .workload import Workload
from .workload_check import check_opens

_SUFFIX = ".py"


def load_workload(reference: str) -> Workload:
    """The workload that ``module:name`` means; ValueError or TypeError say what is wrong.

    The name may also be that of a function without arguments that returns it.
    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise ValueError(f"{reference!r}: a workload is named as module:name")
    if not all(part.isidentifier() for part in module_name.split(".")) or (
        module_name.endswith(_SUFFIX)
    ):
        raise ValueError(
            f"{reference!r}: a module is named as in an import statement, without folder and"
            f" {_SUFFIX}: module:name"
        )
    found = _attribute(_imported(module_name), attribute)
    if isinstance(found, type):
        raise TypeError(f"{reference} is a class, not a Workload")
    if callable(found) and not isinstance(found, Workload):
        try:
            found = found()
        except (Exception, SystemExit) as error:
            raise ValueError(f"{reference}() ended in {_told(error)}") from error
    if not isinstance(found, Workload):
        raise TypeError(f"{reference} is of type {type(found).__name__}, not a Workload")
    try:
        workload = Workload.from_json(_with_lists(found.as_json()))
        _check_all_explored(workload)
        check_opens(workload)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{reference}: {error}") from error
    return workload


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if f"{name}.".startswith(f"{missing}."):
            raise ValueError(
                f"no module {missing!r} in this directory or on Python's path"
            ) from error
        raise ValueError(f"{name} cannot be imported: {_told(error)}") from error
    except (Exception, SystemExit) as error:
        raise ValueError(f"{name} cannot be imported: {_told(error)}") from error


def _attribute(module: ModuleType, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError as error:
        others = [key for key, value in vars(module).items() if isinstance(value, Workload)]
        hint = f"; its Workloads: {', '.join(others)}" if others else ""
        raise ValueError(f"{module.__name__} has no {name!r}{hint}") from error


def _told(error: BaseException) -> str:
    """The error in one line, and where in the program it was raised."""
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, SyntaxError):  # its text says where
        return text
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and not frame.filename.startswith("<")
    ]
    inside = [frame for frame in frames if not frame.filename.endswith("importlib/__init__.py")]
    return f"{text} ({inside[-1].filename}, line {inside[-1].lineno})" if inside else text


def _with_lists(value: Any) -> Any:
    """The same with lists for tuples, as JSON would give it back."""
    if isinstance(value, (list, tuple)):
        return [_with_lists(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_lists(item) for key, item in value.items()}
    return value


def _check_all_explored(workload: Workload) -> None:
    if workload.explore_from > len(workload.steps):
        raise ValueError(
            f"explore_from={workload.explore_from}: there are {len(workload.steps)} steps"
        )
