"""What is shown under which address: a blueprint for each kind of thing."""

from __future__ import annotations

from . import comments, home, projects, search, tasks, users

BLUEPRINTS = [module.blueprint for module in (home, projects, tasks, comments, users, search)]
