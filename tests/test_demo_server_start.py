"""What the master process does before it forks."""

from __future__ import annotations

import os
from pathlib import Path

from bazanite_demo.server import Server, Settings, listen


def test_templates_are_compiled_before_workers_are_forked(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, port=0)
    with listen(settings) as listener:
        server = Server(settings, listener)
    app = server.load()
    try:
        loader = app.jinja_env.loader
        compiled = {name for _, name in app.jinja_env.cache or {}}
        assert loader is not None
        assert compiled == set(app.jinja_env.list_templates()) != set()
    finally:
        server._close()
        os.close(server._descriptor)
