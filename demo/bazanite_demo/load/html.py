"""What a client takes out of a page: the form that it fills in, links, and comments."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = list[tuple[str, str | None]]


@dataclass(slots=True)
class Form:
    """A form that is sent by POST, as filled in when it came."""

    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """``links`` is each address with its text, ``comments`` the text of each by its number."""

    title: str = ""
    forms: list[Form] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    comments: dict[int, str] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Fills in a Page.  Whatever text is being read goes to ``_text``."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._form: Form | None = None
        self._text: list[str] | None = None
        self._name = ""
        self._select = ""
        self._comment = 0

    def handle_starttag(self, tag: str, attributes: Attributes) -> None:
        of = {name: value or "" for name, value in attributes}
        if tag == "form" and of.get("method") == "post":
            self._form = Form(of.get("action", ""))
            self.page.forms.append(self._form)
        elif tag in ("title", "a"):
            self._name, self._text = of.get("href", ""), []
        elif tag == "li":
            number = of.get("id", "").removeprefix("comment-")
            self._comment = int(number) if number.isdecimal() else 0
        elif tag == "div" and self._comment and of.get("class") == "prose":
            self._text = []
        elif self._form is not None:
            self._in_form(tag, of)

    def _in_form(self, tag: str, of: dict[str, str]) -> None:
        assert self._form is not None
        if tag == "input" and "name" in of:
            self._form.fields[of["name"]] = of.get("value", "")
        elif tag == "textarea":
            self._name, self._text = of["name"], []
        elif tag == "select":
            self._select = of["name"]
        elif tag == "option" and ("selected" in of or self._select not in self._form.fields):
            # The first one is chosen unless another is.
            self._form.fields[self._select] = of["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag in ("title", "a", "textarea", "div") and self._text is not None:
            text = "".join(self._text).replace("\r\n", "\n")
            self._text = None
            if tag == "title":
                self.page.title = text
            elif tag == "a":
                self.page.links.append((self._name, text))
            elif tag == "textarea" and self._form is not None:
                # A line end right behind the tag does not belong to the text.
                self._form.fields[self._name] = text.removeprefix("\n")
            elif tag == "div" and self._comment:
                self.page.comments[self._comment] = text
                self._comment = 0

    def handle_data(self, data: str) -> None:
        if self._text is not None:
            self._text.append(data)


def read(text: str) -> Page:
    """What a page has for a client."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return reader.page
