"""Markdown files: their links, and the anchors that headings give."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

_MARKDOWN = MarkdownIt("commonmark").enable("table")
_HTML_TARGET = re.compile(r'(?:href|src)="([^"]+)"')
_HTML_ID = re.compile(r'(?:id|name)="([^"]+)"')


class Link(NamedTuple):
    """Where a link or picture goes, split at the `#`."""

    path: str
    anchor: str

    @property
    def is_external(self) -> bool:
        """Whether it names a scheme, such as https."""
        return re.match(r"[a-z][a-z0-9+.-]*:", self.path) is not None


def links(text: str) -> Iterator[Link]:
    """Yield the links and pictures of a Markdown text, in HTML too."""
    for token in _flat(_MARKDOWN.parse(text)):
        targets = [str(token.attrs[name]) for name in ("href", "src") if name in token.attrs]
        if token.type in {"html_block", "html_inline"}:
            targets = _HTML_TARGET.findall(token.content)
        for target in targets:
            path, _, anchor = target.partition("#")
            yield Link(path, anchor)


@cache
def anchors(path: Path) -> frozenset[str]:
    """Return the anchors of a Markdown file, as GitHub makes them of headings."""
    tokens = _MARKDOWN.parse(path.read_text())
    found: list[str] = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            slug = slug_of("".join(child.content for child in inline.children or ()))
            repeated = sum(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other) is not None for other in found)
            found.append(f"{slug}-{repeated}" if slug in found else slug)
    html = (token.content for token in _flat(tokens) if token.type in {"html_block", "html_inline"})
    return frozenset([*found, *(name for text in html for name in _HTML_ID.findall(text))])


def slug_of(heading: str) -> str:
    """Return the anchor of a heading: lower case, no punctuation, hyphens for spaces."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])
