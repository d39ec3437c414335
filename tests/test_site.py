"""The documentation as a site: it builds without a warning, and asks nobody; links lead there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bazanite_tools.cli import _COMMANDS
from docs_support import FENCED, ROOT, named, pages

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    pytest.importorskip("material", reason="the extra `docs` is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra `docs` is not installed")
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(target)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    told = done.stderr.splitlines()  # with --quiet it would not count warnings either
    assert [line for line in told if not line.startswith("INFO ")] == []
    assert (done.returncode, done.stdout) == (0, "")
    return target


class _Loaded(HTMLParser):
    """What a browser would fetch to show a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        value = dict(attrs).get(LOADED.get(tag, ""))
        if value:
            self.found.append(value)


def test_no_page_of_the_site_loads_anything_from_elsewhere(site: Path) -> None:
    shown = sorted(site.rglob("*.html"))
    assert len(shown) > len(pages()) - 1
    for page in shown:
        parser = _Loaded()
        parser.feed(page.read_text("utf-8"))
        assert parser.found
        assert [url for url in parser.found if re.match(r"(https?:)?//", url)] == []
        assert 'class="mermaid"' not in page.read_text("utf-8")  # what the theme would fetch
        for url in parser.found:
            if page.name != "404.html":
                assert (page.parent / url.partition("?")[0]).is_file(), f"{page}: {url}"
    for style in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text()) == []


def test_the_help_of_every_command_is_a_part_of_the_site(site: Path) -> None:
    text = (site / "reference" / "commands.html").read_text("utf-8")
    assert [name for name in _COMMANDS if f"usage: bazanite {name} " not in text] == []


def test_everything_that_can_be_imported_is_in_the_reference(site: Path) -> None:
    import bazanite

    text = "".join(page.read_text("utf-8") for page in (site / "reference").glob("*.html"))
    internal = {"listed", "mismatch", "shown_value"}  # of the package's own modules
    missing = [
        name
        for name in bazanite.__all__
        if not re.search(rf'id="bazanite(_wal)?\.([a-z_]+\.)*{name}"', text)
    ]
    assert set(missing) == internal


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as those make them who show it."""
    text = FENCED.sub("", page.read_text("utf-8"))
    plain = (re.sub(r"[`*]|\]\([^)]*\)|\[", "", title).strip() for title in HEADING.findall(text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", [pytest.param(page, id=named(page)) for page in pages()])
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        if re.match(r"https?://", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(ROOT / "docs") or page == ROOT / "README.md"
        fine = target.exists() and inside  # the site has nothing else than docs/
        if not fine or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []
