"""The surroundings in which a secret may stand. A new one is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

_JSON: Final = {"value": "§", "n": 5}
_COLOUR: Final = "\x1b[1;33m"
TEMPLATES: Final = {
    "alone": "§",
    "start": "§ was found in the report.",
    "end": "What the customer sent was §",
    "sentence": "Please look at § when you can.",
    "end of a sentence": "The customer sent §. Nobody answered.",
    "question": "Was it §?",
    "ellipsis": "it began with …§… and so on",
    "comma": "first §, then the rest",
    "colon": "see: §; and the rest",
    "double quotes": 'it said "§" twice',
    "single quotes": "it said '§' twice",
    "back quotes": "it said `§` twice",
    "guillemets": "il a dit «§» hier",
    "German quotes": "er sagte „§“ gestern",
    "round brackets": "the first one (§) is old",
    "square brackets": "values: [§]",
    "curly brackets": "values {§}",
    "angle brackets": "sent by <§>",
    "CSV": "17,§,42",
    "CSV, first": "§,17,42",
    "CSV with semicolons": "17;§;42",
    "CSV of numbers": "2026,§,4111",
    "TSV": "17\t§\t42",
    "table": "| 17 | § | yes |",
    "YAML": "server:\n  value: §\n  port: 5432",
    "YAML list": "values:\n  - §\n  - other",
    "TOML": '[server]\nvalue = "§"\nport = 5432',
    "INI": "[server]\nvalue=§\nport=5432",
    "shell": "export VALUE='§'",
    "shell argument": 'tool --value "§" --verbose',
    "Python": 'client = Client("§", timeout=3)',
    "JavaScript": "const value = `§`;",
    "Go": 'value := "§"',
    "Java": 'String value = "§";',
    "Rust": 'let value = String::from("§");',
    "comment": "x = 1  # was § before",
    "log line": "2026-11-26T10:31:22.123Z WARN [worker-3] got § from the client",
    "logfmt": 'level=info msg="§" attempt=2',
    "colours": f"{_COLOUR}§\x1b[0m done",
    "escaped colours": "\\u001b[31m§\\u001b[0m done",
    "Markdown, bold": "**§** is it",
    "Markdown, list": "* one\n* §\n* three",
    "Markdown, link": "[here](§)",
    "Chinese": "请看§这个",
    "Chinese with marks": "联系方式\uff1a§。请保存",
    "Japanese": "これは§です",
    "Korean": "정보는 §입니다",
    "Russian": "вот § и всё",
    "Arabic": "القيمة § هنا",
    "accent on the left": "é§ done",
    "after a number": "42 §",
    "before a number": "§ 42",
    "line ends": "first\r\n§\r\nlast",
    "escaped line ends": "first\\n§\\nlast",
}  # fmt: skip
"""Text in which § stands for the secret."""


def _filled(template: str) -> Callable[[str], str]:
    return lambda text: template.replace("§", text)


CONTEXTS: Final[dict[str, Callable[[str], str]]] = {
    **{name: _filled(template) for name, template in TEMPLATES.items()},
    "JSON": lambda text: json.dumps({**_JSON, "value": text}, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps({"body": json.dumps({**_JSON, "value": text})}),
    "JSON in JSON in JSON": lambda text: json.dumps({"a": json.dumps({"b": json.dumps({"c": text})})}),
    "XML element": lambda text: f"<entry><value>{escape(text)}</value></entry>",
    "XML attribute": lambda text: f'<add name="value" text="{escape(text, {chr(34): "&quot;"})}" />',
    "XML in entities": lambda text: escape(f"<value>{text}</value>"),
    "URL query": lambda text: f"https://api.example/v1?value={quote(text)}&page=2",
    "URL query, all encoded": lambda text: f"https://api.example/v1?value={quote(text, safe='')}&page=2",
}  # fmt: skip
