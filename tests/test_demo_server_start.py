"""What the master process does before it forks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


INTERRUPTED = """
import runpy, sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == "bazanite_demo.server":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupted())
runpy.run_module(sys.argv[1], run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("module", ["bazanite_demo", "bazanite_demo.load"])
def test_ctrl_c_while_it_is_loaded_ends_it_without_a_word(module: str) -> None:
    command = [sys.executable, "-c", INTERRUPTED, module]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
