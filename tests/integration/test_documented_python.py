"""Python in documents: all of it parses, and what speaks to the server runs as printed."""

from __future__ import annotations

import ast
import asyncio
import re

import pytest

from tests.support.repository import ROOT, tracked_files

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    (name, number, code)
    for name in sorted(tracked_files())
    if name.endswith(".md")
    for number, code in enumerate(BLOCK.findall((ROOT / name).read_text()))
]


@pytest.mark.parametrize(("name", "number", "code"), BLOCKS, ids=[f"{name}:{n}" for name, n, _ in BLOCKS])
def test_every_block_parses(name: str, number: int, code: str):
    ast.parse(code, f"{name} {number}")


async def test_the_chat_of_the_chat_page_runs(server, capsys):
    (code,) = [code for name, _, code in BLOCKS if name == "docs/chat.md"]
    program = compile(code.replace("127.0.0.1:50051", f"127.0.0.1:{server.port}"), "docs/chat.md", "exec")
    await asyncio.to_thread(exec, program, {})
    printed = capsys.readouterr().out
    assert re.match(r"conversation [0-9a-f-]{36}\n", printed)
    assert "demo" in printed
    assert "latency" in printed
