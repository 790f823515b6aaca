"""The documentation site: every page is in its navigation, and links hold where pages move to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.build_site import OUTSIDE, pages, rewrite
from scripts.draw_diagrams import DIAGRAMS, draw
from tests.support.markdown import links
from tests.support.repository import ROOT

CONFIG = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
PLACES = pages()
MARKDOWN = sorted(name for name in PLACES if name.endswith(".md"))


def navigation(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for child in entry.values() if isinstance(entry, dict) else entry:
            yield from navigation(child)


def test_the_navigation_has_every_page_once():
    """But for decisions, which other pages link to, and the package's page, which clients' links to."""
    expected = [
        place
        for name, place in PLACES.items()
        if name.endswith(".md") and not name.startswith(("docs/decisions/", "clients/node/"))
    ]
    assert sorted(navigation(CONFIG["nav"])) == sorted(expected)


@pytest.mark.parametrize("name", MARKDOWN)
def test_links_between_pages_hold_in_the_site(name: str):
    places = set(PLACES.values())
    folder = Path("/site") / Path(PLACES[name]).parent
    for link in links(rewrite((ROOT / name).read_text(), name, PLACES)):
        if link.path and not link.is_external:
            target = Path(*(folder / link.path).parts)
            resolved = str(Path(target).resolve().relative_to("/site"))
            assert resolved in places, link


@pytest.mark.parametrize(
    ("name", "text", "rewritten"),
    [
        ("README.md", "[o](docs/operations.md#x)", "[o](operations.md#x)"),
        ("README.md", "![p](docs/images/dashboard-light.png)", "![p](images/dashboard-light.png)"),
        ("README.md", "[c](clients/)", "[c](clients/README.md)"),
        ("README.md", "[L](LICENSE)", "L"),
        ("README.md", "[a](#run-it)", "[a](#run-it)"),
        ("README.md", "[w](https://example.com)", "[w](https://example.com)"),
        ("docs/operations.md", "[s](../sdk/README.md)", "[s](sdk/README.md)"),
        ("docs/decisions/0009-access.md", "[r](../../README.md)", "[r](../index.md)"),
        ("docs/api/README.md", "[c](../../clients/README.md)", "[c](../clients/README.md)"),
        ("sdk/README.md", "[`o`](../docs/operations.md)", "[`o`](../operations.md)"),
        ("README.md", "```\n[o](docs/operations.md)\n```", "```\n[o](docs/operations.md)\n```"),
    ],
)
def test_links_follow_their_pages(name: str, text: str, rewritten: str):
    assert rewrite(text, name, PLACES) == rewritten


def test_nothing_is_fetched_from_elsewhere():
    assert CONFIG["theme"]["font"] is False
    assert {"extra_javascript", "extra_css", "extra"} & CONFIG.keys() == set()
    diagrams = [name for name in MARKDOWN if "```mermaid" in (ROOT / name).read_text()]
    assert diagrams == [], "the site would fetch mermaid's script: draw an SVG (scripts/draw_diagrams.py)"


def test_pages_outside_of_docs_are_there():
    assert all((ROOT / name).is_file() for name in OUTSIDE)


def test_diagrams_are_fresh():
    found = {path.name: path.read_text() for path in (ROOT / "docs/images").glob("*.svg")}
    assert {name: draw(diagram) for name, diagram in DIAGRAMS.items()} == found, "run `make docs`"


@pytest.mark.parametrize("name", DIAGRAMS)
def test_diagrams_fetch_nothing_and_tell_what_they_show(name: str):
    text = (ROOT / "docs/images" / name).read_text()
    assert "<title>" in text
    assert "href" not in text
    assert "url(#tip)" in text.replace("url(http", "")
