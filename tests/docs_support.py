"""The blocks of a page that show a terminal: their commands, and what stands below each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def replayed(page: Path, directory: Path) -> str:
    """The page as it would be if every output were what its command prints now."""

    def again(block: re.Match[str]) -> str:
        language, text = block[1], block[2]
        if language == "python":
            _run([sys.executable, "-c", text], directory)
            return block[0]
        lines = []
        for line in text.splitlines():
            if line.startswith("$ "):
                lines += [line, _run(["bash", "-c", line[2:]], directory).rstrip("\n")]
        shown = "\n".join(line for line in lines if line)
        return f"```console\n{shown}\n```"

    return BLOCK.sub(again, page.read_text("utf-8"))


def _run(command: list[str], directory: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout
