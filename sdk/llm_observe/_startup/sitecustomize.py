"""Instruments a process whose code does not. Python imports this module when it starts, before the program.

llm_observe is imported with the first package of a vendor, and not at all without one. So Python starts as
fast as ever, and gevent, which has to patch modules before others import them, has done so.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_VENDORS = ("openai", "anthropic", "google.genai")


class _FirstVendor:
    """A finder that instruments the process when a vendor's package is about to be imported."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name not in _VENDORS:
            return None
        with suppress(Exception):  # a child process of another environment, perhaps of an older Python
            import_module("llm_observe").instrument()
        with suppress(ValueError):  # another thread was faster
            sys.meta_path.remove(self)
        return find_spec(name)


def _import_the_others() -> None:
    """Import the module of this name that would have been imported without us."""
    here = __file__.rpartition(os.sep)[0]
    sys.path[:] = [entry for entry in sys.path if entry != here]
    ours = sys.modules.pop(__name__)
    try:
        import_module(__name__)
    except ModuleNotFoundError as error:
        if error.name != __name__:
            raise
    sys.modules.setdefault(__name__, ours)


sys.meta_path.insert(0, _FirstVendor())
if __name__ == "sitecustomize":
    _import_the_others()
