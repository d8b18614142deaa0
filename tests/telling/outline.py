"""A page read as a browser reads it: elements that nest, headings, visible text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any


class Outline(HTMLParser):
    """Headings, captions, resources and visible text of a page, and whether its elements nest."""

    void = frozenset({"meta", "link", "input", "path", "circle", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[int] = []
        self.resources: list[str] = []
        self.tables = self.captions = 0
        self.labels: list[str | None] = []
        self.text = ""
        self.feed(page)
        self.close()
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag not in self.void:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.tables += tag == "table"
        self.captions += tag == "caption"
        self.resources += [named[name] or "" for name in ("src", "href") if name in named]
        if named.get("role") == "img":
            self.labels.append(named.get("aria-label"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.text += data + " "


def coloured(value: Any) -> Any:
    """As the page's script does: names of colours become colours."""
    if isinstance(value, str):
        return "#123456" if value.startswith("--") else value
    if isinstance(value, list | tuple):
        return [coloured(one) for one in value]
    return {name: coloured(one) for name, one in value.items()} if isinstance(value, dict) else value
