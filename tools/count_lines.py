"""How large the core is: counts its lines of code, and writes the figures into README.md.

    python tools/count_lines.py             write them
    python tools/count_lines.py --check     only look; exit status 1 if README.md is wrong

Counted are lines with something else than blanks, comments and docstrings, of the log (``wal/``)
and of the tables (``engine/``).  README.md says "about": within 15 % it is right, so that not every
change has to touch it.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
CORE = ("wal", "engine")
_FIGURE = r"(\d[\d,]*\d)"
SENTENCE = re.compile(
    rf"(log\s+is\s+about\s+){_FIGURE}"
    rf"(\s+lines\s+of\s+code\s+and\s+the\s+tables\s+are\s+about\s+){_FIGURE}"
)
"""The log and the tables, in the order of ``CORE``."""
MAY_DIFFER = 0.15
_NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    tokenize.ENDMARKER,
}
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def lines_of_code(text: str) -> int:
    """How many lines hold something else than blanks, comments and docstrings."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node):
            docstring = node.body[0]
            lines -= set(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return len(lines)


def counted() -> dict[str, int]:
    """The lines of code in each folder of the core."""
    return {
        folder: sum(
            lines_of_code(path.read_text("utf-8")) for path in (ROOT / folder).rglob("*.py")
        )
        for folder in CORE
    }


def told(readme: str) -> dict[str, int]:
    """What a text of README.md says of each folder; empty if it says nothing."""
    found = SENTENCE.search(readme)
    if found is None:
        return {}
    figures = (int(figure.replace(",", "")) for figure in (found[2], found[4]))
    return dict(zip(CORE, figures, strict=True))


def wrong(readme: str, counts: dict[str, int]) -> list[str]:
    """A sentence for each figure that is missing in a text of README.md, or too far off."""
    said = told(readme)
    return [
        f"{folder}: README.md says {said.get(folder, 'nothing')}, counted {count}"
        for folder, count in counts.items()
        if abs(said.get(folder, 0) - count) > MAY_DIFFER * count
    ]


def corrected(readme: str, counts: dict[str, int]) -> str:
    """The text with these counts, rounded to a hundred as one would say them."""
    log, tables = (f"{round(counts[folder], -2):,}" for folder in CORE)
    return SENTENCE.sub(lambda found: f"{found[1]}{log}{found[3]}{tables}", readme)


def main(arguments: list[str]) -> int:
    """Run the command line; returns the exit status."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    counts, readme = counted(), README.read_text("utf-8")
    if not arguments:
        readme = corrected(readme, counts)
        README.write_text(readme, "utf-8")
    problems = wrong(readme, counts)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(", ".join(f"{folder}: {count:,} lines of code" for folder, count in counts.items()))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
