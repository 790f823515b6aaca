"""Every link of every Markdown file leads somewhere, and every page that code and documents name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.markdown import Link, anchors, links, slug_of
from tests.support.repository import ROOT, tracked_files

TRACKED = frozenset(tracked_files())
DOCUMENTS = sorted(name for name in TRACKED if name.endswith(".md"))
FOLDERS = {str(parent) for name in TRACKED for parent in Path(name).parents}
NAMED_PAGE = re.compile(r"(?<![\w/.-])((?:docs|sdk|clients)/[\w/-]+\.(?:md|png|svg))")
LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost)\b")


def complaint(document: Path, link: Link) -> str:
    """Return what is wrong with a link, or nothing."""
    if link.is_external:
        fine = link.path.startswith(("https://", "mailto:")) or LOOPBACK.match(link.path)
        return "" if fine else "is neither https nor of this machine"
    target = (document.parent / link.path).resolve() if link.path else document
    if not target.is_relative_to(ROOT):
        return "leads out of the repository"
    name = str(target.relative_to(ROOT))
    if name not in TRACKED and name not in FOLDERS:
        return "leads to no file that git knows"
    if link.anchor and (target.suffix != ".md" or link.anchor not in anchors(target)):
        return "leads to no heading there"
    return ""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str):
    document = ROOT / name
    found = {link: complaint(document, link) for link in links(document.read_text())}
    assert {"#".join(link): text for link, text in found.items() if text} == {}


def test_every_page_that_is_named_is_there():
    """In comments, docstrings, commands and texts, too, where a page is named by its path."""
    missing = {}
    for name in TRACKED:
        if Path(name).suffix in {".py", ".pyx", ".md", ".sh", ".toml", ".yaml", ".yml", ".proto", ".sql", ""}:
            named = set(NAMED_PAGE.findall((ROOT / name).read_text(errors="replace")))
            if gone := named - TRACKED:
                missing[name] = gone
    missing.pop("tests/unit/test_links.py", None)
    assert missing == {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](there.md)", False),
        ("[a](there.md#one-two)", False),
        ("[a](there.md#one-two-1)", False),
        ("[a](#here)\n\n# Here", False),
        ("![p](gone.png)", True),
        ("[a](gone.md)", True),
        ("[a](there.md#three)", True),
        ("[a](#nowhere)", True),
        ("[a][b]\n\n[b]: gone.md", True),
        ('<img src="gone.png">', True),
        ("[a](http://example.com)", True),
        ("[a](../../outside.md)", True),
        ("| a |\n|---|\n| [a](gone.md) |", True),
        ("`[a](gone.md)`", False),
        ("```\n[a](gone.md)\n```", False),
    ],
)
def test_dead_links_are_found(tmp_path, monkeypatch, text: str, wrong: bool):  # noqa: FBT001 - a column
    monkeypatch.setattr("tests.unit.test_links.ROOT", tmp_path)
    monkeypatch.setattr("tests.unit.test_links.TRACKED", {"page.md", "there.md"})
    (tmp_path / "there.md").write_text("# One, two!\n\n## One two\n")
    (tmp_path / "page.md").write_text(text)
    assert any(complaint(tmp_path / "page.md", link) for link in links(text)) == wrong


def test_anchors_are_those_of_github():
    assert slug_of("Projects, keys and TLS") == "projects-keys-and-tls"
    assert slug_of("`llm-observe up`: what it does") == "llm-observe-up-what-it-does"
    assert slug_of("Snake_case stays") == "snake_case-stays"
