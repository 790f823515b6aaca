"""A stream is suspended at a yield for as long as its client likes, so no scope may be open there.

A timeout or cancel scope would fire into suspended code, and a ContextVar's token may be reset in another
context. The context managers that may be open at a yield only close something when the stream ends.
The yield of a ``@contextmanager`` suspends nothing: whoever enters it is looked at in its place.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import server

_MAY_SPAN_A_YIELD = {"aclosing", "opened", "subscribe"}
_PROGRAMS = {"probe.py"}
"""These serve nobody."""
_FILES = sorted(file for file in Path(server.__file__).parent.rglob("*.py") if file.name not in _PROGRAMS)


def scopes_at_yields(tree: ast.AST) -> list[str]:
    """Return the context managers that are open at a yield, each by its name and line."""
    found: list[str] = []

    def visit(node: ast.AST, scopes: tuple[str, ...]) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            if is_context_manager(node):
                return
            scopes = ()
        if isinstance(node, ast.With | ast.AsyncWith):
            scopes = (*scopes, *(name_of(item.context_expr) for item in node.items))
        if isinstance(node, ast.Yield | ast.YieldFrom):
            found.extend(f"{scope}:{node.lineno}" for scope in scopes if scope not in _MAY_SPAN_A_YIELD)
        for child in ast.iter_child_nodes(node):
            visit(child, scopes)

    visit(tree, ())
    return found


def is_context_manager(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> bool:
    decorators = () if isinstance(function, ast.Lambda) else function.decorator_list
    return any(name_of(decorator).endswith("contextmanager") for decorator in decorators)


def name_of(expression: ast.expr) -> str:
    called = expression.func if isinstance(expression, ast.Call) else expression
    return called.attr if isinstance(called, ast.Attribute) else ast.unparse(called)


def tokens_in_generators(tree: ast.AST) -> list[int]:
    """Return the lines on which a generator resets a ContextVar."""
    return [
        call.lineno
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(function))
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "reset"
    ]


@pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
def test_no_scope_is_open_where_the_server_yields(file):
    tree = ast.parse(file.read_text())
    assert scopes_at_yields(tree) == []
    assert tokens_in_generators(tree) == []


def test_the_rule_finds_a_timeout_and_a_token():
    tree = ast.parse("""
async def stream(self):
    async with asyncio.timeout(1) as limit:
        with llm_observe.session("s"), suppress(KeyError):
            yield 1
    with observed():
        yield 3
    token = current.set(1)
    yield 2
    current.reset(token)

@contextmanager
def observed():
    with timeout(1):
        yield
""")
    assert scopes_at_yields(tree) == ["timeout:5", "session:5", "suppress:5", "observed:7"]
    assert tokens_in_generators(tree) == [10]
