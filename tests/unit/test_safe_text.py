"""Text of users and models is shown, and nothing in it is ever fetched."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from streamlit_app.components.safe_text import (
    html_text,
    literal,
    safe_markdown,
    safe_table,
    without_markup,
)
from tests.support.loading_markdown import LOADING
from tests.support.properties import examples

APP = Path(__file__).parent.parent.parent / "streamlit_app"
PARSER = MarkdownIt("commonmark", {"html": True, "maxNesting": 200}).enable(["table", "strikethrough"])
"""Reads more than Streamlit does: raw HTML, too."""
FORBIDDEN = {"image", "html_block", "html_inline", "link_open"}

POSITIONS = {
    "at the start": "{}",
    "in a sentence": "before {} after",
    "in bold": "**{}**",
    "in a heading": "# {}",
    "in a setext heading": "{}\n===",
    "in a list": "- {}",
    "in an ordered list": "3) a\n4) {}",
    "in a nested list": "- a\n  - b\n    1. {}",
    "in a quote": "> {}",
    "in a quoted list": "> - a\n> - {}",
    "in a table's head": "| {} | b |\n|---|---|\n| c | d |",
    "in a table": "| a | b |\n|:--|--:|\n| {} | `c \\| d` |",
    "after a code block": "```\ncode\n```\n{}",
    "after an open code block in a list": "- ```\n  code\n\n{}",
    "after an unclosed code span": "`a {}",
    "after a line break": "a  \n{}",
}
CODE = {
    "in a code span": ("`{}`", "code_inline"),
    "in a block": ("```\n{}\n```", "fence"),
    "in a block of tildes": ("~~~md\n{}\n~~~", "fence"),
    "in an indented block": ("    {}", "fence"),
    "in a block in a list": ("- a\n\n  ```python\n  {}\n  ```", "fence"),
    "in a block in a quote": ("> ```\n> {}\n> ```", "fence"),
}


def all_tokens(text: str):
    for token in PARSER.parse(text):
        yield token
        yield from token.children or ()


def assert_safe(text: str) -> None:
    shown = safe_markdown(text)
    tokens = list(all_tokens(shown))
    assert not FORBIDDEN & {token.type for token in tokens}, shown
    assert all(not re.search("mermaid|math", token.info, re.IGNORECASE) for token in tokens), shown
    # Outside code, nothing that Streamlit's own extensions look for is left unescaped.
    assert not re.search(r"[$\[\]<{}~]|:\w", without_code(shown)), shown


def without_code(markdown: str) -> str:
    """Return the markdown without escaped characters and code."""
    texts = (token.content for token in PARSER.parse(markdown) if token.type == "inline")
    return re.sub(r"\\[!-/:-@\[-`{-~]|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", "\n".join(texts))


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("construct", LOADING)
def test_no_construct_loads_anything(construct, position):
    assert_safe(POSITIONS[position].format(LOADING[construct]))


@pytest.mark.parametrize("position", CODE)
@pytest.mark.parametrize("construct", LOADING)
def test_code_is_unchanged(construct, position):
    code = LOADING[construct].splitlines()[0].replace("`", "'")
    frame, kind = CODE[position]
    shown = safe_markdown(frame.format(code))
    assert code in {token.content.rstrip("\n") for token in all_tokens(shown) if token.type == kind}
    assert not FORBIDDEN & {token.type for token in all_tokens(shown)}


_PIECES = [
    *"`~*_[]()!<>|\\$:#-+.=&'\" \n\t", "\n\n", "```", "~~~", "    ", "\n- ", "\n> ", "\n1. ",
    "\n|a|b|\n|-|-|\n|", "![x](http://e)", "[l](http://e)", "`c`", "<img src=x>", "**", "a", "&#32;", "&#96;",
    "&#10;", "mermaid", "[r]: http://e", ":smile:", "http://e",
]  # fmt: skip


@given(st.lists(st.sampled_from(_PIECES), max_size=40).map("".join))
@examples(500)
def test_random_markdown_loads_nothing(text):
    assert_safe(text)


@pytest.mark.parametrize(
    "info", ["math", "Math", "mermaid", "Mermaid", "mermaid+", "mermaid x", "-language-mermaid", "{mermaid}"]
)
def test_no_diagram_is_drawn(info):
    """A diagram may hold images."""
    shown = safe_markdown(f"```{info}\ngraph TD\n```")
    assert shown == "```\ngraph TD\n```"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("# Title\n\n*a* **b** `c`", "#### Title\n\n*a* **b** `c`"),
        ("1. a\n2. b\n   - c\n   - d", "1. a\n2. b\n   - c\n   - d"),
        ("- a\n\n- b", "- a\n\n- b"),
        ("> a\n> b", "> a\n> b"),
        ("```python\nx = 1\n\n  y\n```", "```python\nx = 1\n\n  y\n```"),
        ("````\n```\n````", "````\n```\n````"),
        ("a\\\nb", "a\\\nb"),
        ("***", "___"),
        ("|a|b|\n|:-|-:|\n|`c`|d|", "| a | b |\n| :-- | --: |\n| `c` | d |"),
        ("[docs](http://d.example)", "docs \\(http\\:\\/\\/d\\.example\\)"),
        ("<http://d.example>", "http\\:\\/\\/d\\.example"),
        ("![](http://d.example)", "\\(http\\:\\/\\/d\\.example\\)"),
        ("at 12:30:45", "at 12\\:30\\:45"),
        ("", ""),
    ],
)
def test_structure_is_kept(text, shown):
    assert safe_markdown(text) == shown


@pytest.mark.parametrize("text", [*LOADING.values(), "# no heading", "- no list", "1. no list", "a\n\n\tb"])
def test_literal_shows_every_character(text):
    tokens = [token for token in all_tokens(literal(text)) if token.type != "inline"]
    assert {token.type for token in tokens} == {"paragraph_open", "text", "paragraph_close"}
    written = "".join(token.content for token in tokens).replace("\u2060", "")
    assert written == " ".join(text.split())


@pytest.mark.parametrize("text", LOADING.values())
def test_a_table_shows_every_character(text):
    table = safe_table("Title", [("name", text), (text, "value")])
    shown = [token for token in all_tokens(table) if token.type == "inline"]
    assert len(shown) == 6, "a title, nothing beside it, and two rows of two"
    assert_safe(table)


def test_html_text_is_no_markup():
    assert html_text("<img src='x' alt=\"y\">&") == "&lt;img src=&#x27;x&#x27; alt=&quot;y&quot;&gt;&amp;"


# -- every page uses it ------------------------------------------------------------------------------------

MARKDOWN = {
    "badge", "button", "caption", "checkbox", "datetime_input", "error", "exception", "expander",
    "header", "html", "info", "latex", "markdown", "metric", "multiselect", "pills", "popover",
    "radio", "segmented_control", "selectbox", "subheader", "success", "text_area", "text_input",
    "title", "toast", "toggle", "warning", "write", "write_stream",
}  # fmt: skip
SAFE = {"literal", "safe_markdown", "small", "html_text", "safe_table", "mark_redactions", "describe_answer"}
READ = {
    ("data/reports.py", "part.arrow"),  # written to a buffer
    ("panels/conversation_list.py", "_describe(conversation)"),
    ("panels/transcript.py", "line"),
    ("panels/transcript.py", "hint"),  # of our own buttons
    ("panels/transcript.py", "' · '.join(parts)"),
    ("panels/transcript.py", "' '.join((f':green-badge[{literal(words)}]' for words in praise))"),
    ("views/analytics.py", "f':material/{icon_of(report.name)}: {literal(report.title)}'"),
    ("views/conversations.py", """f'<span id="turn-{number + 1}"></span>'"""),
    ("views/conversations.py", "f':red[:material/error: {len(failed)} failed:] {links}'"),
    ("panels/requests.py", "legend_html(_parts(answer, look), releases.note)"),
    ("panels/tokens.py", "shares_html(parts, f'Tokens: {words}.') + legend_html(named)"),
}
"""Texts that are put together where this test cannot follow them: somebody has read how."""


def is_safe(node: ast.expr) -> bool:
    """Return whether an argument consists of constants, formatted numbers and text made safe."""
    match node:
        case ast.JoinedStr(values=parts) | ast.BoolOp(values=parts):
            return all(map(is_safe, parts))
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, op=ast.Add(), right=other):
            return is_safe(one) and is_safe(other)
        case ast.FormattedValue(format_spec=spec, value=value):
            return spec is not None or is_safe(value)
        case ast.Call(func=ast.Name(id=name)):
            return name in SAFE
        case ast.BinOp(left=ast.Name(id="_FOLDER"), op=ast.Div()):  # a file of ours
            return True
    return isinstance(node, ast.Constant)


PAGES = sorted(path for path in APP.rglob("*.py") if path.name != "__main__.py")  # which starts them


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(APP)))
def test_pages_show_foreign_text_only_through_safe_functions(path):
    name = str(path.relative_to(APP))
    for call in ast.walk(ast.parse(path.read_text())):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in MARKDOWN:
            texts = [*call.args[:1], *(word.value for word in call.keywords if word.arg in {"help", "label"})]
            unsafe = [text for text in texts if not is_safe(text) and (name, ast.unparse(text)) not in READ]
            assert unsafe == [], f"{path.name}:{call.lineno}: wrap it in literal or safe_markdown"
            assert not any(word.arg == "unsafe_allow_html" for word in call.keywords)


@pytest.mark.parametrize(
    ("markdown", "words"),
    [
        ("Set `OPENAI_API_KEY` and **choose** a _model_.", "Set OPENAI_API_KEY and choose a model."),
        ("# Refund\n\n- one\n- two\n\n```sh\nls\n```", "Refund one two ls"),
        ("a\nb  \nc", "a b c"),
        ("2 * 3 * 4, snake_case_name, 5 < 6", "2 * 3 * 4, snake_case_name, 5 < 6"),
        ("cut **in the middle", "cut **in the middle"),
        ("", ""),
    ],
)
def test_a_preview_has_the_words_of_a_text_without_its_marks(markdown, words):
    assert without_markup(markdown) == words
