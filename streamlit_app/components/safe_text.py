"""Makes text that users and models wrote safe to show: nothing is fetched because of what a text says.

Streamlit's markdown loads images and lets a link hide its target, so an injected prompt could send a
conversation to a stranger. Therefore every such text passes through ``literal``, ``small`` or
``safe_markdown``.
``safe_markdown`` does not search for what is dangerous: it parses the text and writes it anew from an
allowlist, escaping all ASCII punctuation of the text. So only the markup written here has a meaning,
whatever Streamlit's parser understands: images, HTML, links, math, directives, icons.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from markdown_it.token import Token

# No strikethrough: at the start of a line its tildes could open a code block.
_PARSER: Final = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable("table")
_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")
_SHORTCODE: Final = re.compile(r":(?!\d{1,2}:)(?=[\w+-]+:)")
"""First colon of ``:name:``, which Streamlit turns into an emoji or icon even if escaped. Not 12:30:45."""
_WORD_JOINER: Final = "\u2060"
_LANGUAGE: Final = re.compile(r"\w+", re.ASCII)
_DRAWN_LANGUAGES: Final = frozenset({"mermaid", "math"})
"""Streamlit draws such code blocks: a diagram may hold images, a formula may hide or enlarge its text."""
MAX_PARSED_CHARS: Final = 30_000
"""The parser's time grows with the square of a hostile text: a second for this many brackets."""
_HEADING_DEMOTION: Final = 3
_LOWEST_HEADING: Final = 6


def literal(text: str) -> str:
    """Return markdown that shows the text as it is, on one line."""
    return _escape(" ".join(text.split()))


def html_text(text: str) -> str:
    """Return HTML that shows the text as it is, also within the quotes of an attribute."""
    return html.escape(text)


def small(text: str) -> str:
    """Return markdown that shows the text as it is, small and grey: a reason code, a unit."""
    return f":gray[:small[{literal(text)}]]"


def safe_table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return markdown of a table of names and values, each as it is."""
    lines = [f"| {literal(name)} | {literal(value)} |" for name, value in rows]
    return "\n".join([f"| {literal(title)} | |", "| :-- | :-- |", *lines])


def literal_lines(text: str) -> str:
    """Return markdown that shows the text as it is, with its lines and their indentation."""
    paragraphs = re.split(r"\n\s*\n", text.strip("\n"))
    return "\n\n".join("\\\n".join(map(_literal_line, part.split("\n"))) for part in paragraphs)


def _literal_line(line: str) -> str:
    indented = len(line) - len(line.lstrip())
    return "\u00a0" * indented + literal(line)


def safe_markdown(text: str) -> str:
    """Return markdown that shows a text's structure, with links and images as words.

    Headings, emphasis, lists, quotes, tables and code stay. A link or an image becomes its label and its
    target, so that the target is always in sight.
    """
    return "\n".join(_blocks(SyntaxTreeNode(_PARSER.parse(text)).children))


def without_markup(text: str) -> str:
    """Return the words of a text that may be markdown, on one line: a preview, not yet safe to show."""
    tokens = [part for token in _PARSER.parse(text) for part in (token.children or (token,))]
    return " ".join("".join(token.content or _blank(token) for token in tokens).split())


def _blank(token: Token) -> str:
    return " " if token.block or token.type.endswith("break") else ""


def _escape(text: str) -> str:
    return _PUNCTUATION.sub(r"\\\g<0>", _SHORTCODE.sub(f":{_WORD_JOINER}", text))


# -- blocks, as lines --------------------------------------------------------------------------------------


def _blocks(nodes: Iterable[SyntaxTreeNode], *, tight: bool = False) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        if lines and not (tight and node.type != "table"):
            lines.append("")
        lines += _BLOCKS[node.type](node)
    return lines


def _paragraph(node: SyntaxTreeNode) -> list[str]:
    # Without leading white space, no line can become an indented code block.
    return [line.strip() for line in _inline(node.children).split("\n")]


def _heading(node: SyntaxTreeNode) -> list[str]:
    level = min(int(node.tag[1:]) + _HEADING_DEMOTION, _LOWEST_HEADING)
    return [f"{'#' * level} {_one_line(node.children)}"]


def _quote(node: SyntaxTreeNode) -> list[str]:
    return [f"> {line}".rstrip() for line in _blocks(node.children)]


def _list(node: SyntaxTreeNode) -> list[str]:
    lines: list[str] = []
    for item in node.children:
        tight = any(child.hidden for child in item.children)
        marker = f"{item.info}{item.markup} "
        first, *others = _blocks(item.children, tight=tight) or [""]
        if lines and not tight:
            lines.append("")
        lines.append(f"{marker}{first}".rstrip())
        lines += [f"{' ' * len(marker)}{line}".rstrip() for line in others]
    return lines


def _code_block(node: SyntaxTreeNode) -> list[str]:
    fence = _fence(node.content, at_least=3)
    name = _LANGUAGE.match(node.info)
    language = name[0] if name and name[0].lower() not in _DRAWN_LANGUAGES else ""
    return [f"{fence}{language}", *node.content.removesuffix("\n").split("\n"), fence]


def _table(node: SyntaxTreeNode) -> list[str]:
    rows = [row.children for part in node.children for row in part.children]
    aligned = [_ALIGNMENTS.get(str(cell.attrs.get("style", "")), "---") for cell in rows[0]]
    head, *body = [_row(_one_line(cell.children, in_table=True) for cell in row) for row in rows]
    return [head, _row(aligned), *body]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


_ALIGNMENTS: Final = {"text-align:left": ":--", "text-align:center": ":-:", "text-align:right": "--:"}
_BLOCKS: Final[dict[str, Callable[[SyntaxTreeNode], list[str]]]] = {
    "paragraph": _paragraph,
    "heading": _heading,
    "blockquote": _quote,
    "bullet_list": _list,
    "ordered_list": _list,
    "fence": _code_block,
    "code_block": _code_block,
    "table": _table,
    "hr": lambda _: ["___"],  # a list's marker before it cannot make it longer
}


# -- text within a block -----------------------------------------------------------------------------------


def _one_line(nodes: Sequence[SyntaxTreeNode], *, in_table: bool = False) -> str:
    return _inline(nodes, in_table=in_table).replace("\\\n", " ").replace("\n", " ").strip()


def _inline(nodes: Iterable[SyntaxTreeNode], *, in_table: bool = False) -> str:
    text = ""
    for node in nodes:
        piece = _piece(node, in_table=in_table)
        # Two code spans side by side would be read as one.
        text += f" {piece}" if text.endswith("`") and piece.startswith("`") else piece
    return text


def _piece(node: SyntaxTreeNode, *, in_table: bool) -> str:
    if node.type == "code_inline":
        return _code_span(node.content, in_table=in_table)
    if node.type in _BREAKS:
        return _BREAKS[node.type]
    if node.type == "image":
        return _with_target(_escape(" ".join(node.content.split())), node.attrs["src"])
    content = _inline(node.children, in_table=in_table)
    if node.type == "link":
        return _with_target(content, node.attrs["href"])
    marker = _MARKERS.get(node.type, "")
    return f"{marker}{content}{marker}" if node.children else _escape(" ".join(node.content.splitlines()))


def _code_span(content: str, *, in_table: bool) -> str:
    if in_table and "|" in content:  # parsers disagree on how to escape it there
        return _escape(content)
    fence = _fence(content, at_least=1)
    pad = " " if content[:1] in {"`", " "} or content[-1:] in {"`", " "} else ""
    return f"{fence}{pad}{content}{pad}{fence}"


def _with_target(label: str, target: str | float) -> str:
    shown = _escape(str(target))
    return label if label == shown else f"{label} \\({shown}\\)".lstrip()


def _fence(content: str, *, at_least: int) -> str:
    longest = max(map(len, re.findall("`+", content)), default=0)
    return "`" * max(at_least, longest + 1)


_BREAKS: Final = {"softbreak": "\n", "hardbreak": "\\\n"}
_MARKERS: Final = {"em": "*", "strong": "**"}
