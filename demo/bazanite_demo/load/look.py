"""A look at the data while others change it, or when all is over."""

from __future__ import annotations

from collections.abc import Mapping

from bazanite import DB, DBError

from .figures import stopwatch
from .reading import found_in, problems_of_files
from .scene import Place, Scene
from .verdict import Found, Problem, Row, judge


class Look:
    """A look at the data: whether its files agree, and whether it has what it must."""

    def __init__(
        self, db: DB, scene: Scene, place: Place, others: Mapping[tuple[str, int], Row]
    ) -> None:
        self._db = db
        self._scene = scene
        self._place = place
        self._others = others
        self.found = Found([], [])

    def __call__(self) -> None:
        """Note what is wrong."""
        with stopwatch() as seconds:
            problems = self.problems()
        self._scene.figures.checked(problems, seconds[0])

    def problems(self) -> list[Problem]:
        """What was acknowledged before must be in what is read now."""
        floor = self._scene.book.acknowledged()
        try:
            problems = problems_of_files(self._db)
            self.found = found_in(self._db, self._place.project)
        except DBError as error:
            return [Problem("unreadable", repr(error))]
        return problems + judge(self._scene.book.writes(), floor, self.found, self._others)
