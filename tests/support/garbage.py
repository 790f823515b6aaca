"""A pytest plugin that lets the garbage collector pass over what pytest itself holds.

Thousands of tests and the modules that they import live until the end. Streamlit collects all garbage after
each run of a page, and some tests do; each collection would look at all of them again, for half a second.
"""

from __future__ import annotations

import gc

import pytest


def pytest_configure() -> None:
    """Make no garbage collection while tests are collected: nearly all of it stays."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave what there is by now out of every later collection."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_unconfigure() -> None:
    """Let the interpreter free everything at its end, or some libraries report it as leaked."""
    gc.unfreeze()
    gc.enable()
