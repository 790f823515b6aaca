"""Calls a function with each of certain modules as soon as it has been imported."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from llm_observe._vendor import VendorObject

    OnImport = Callable[[str, ModuleType], None]


class ImportHook:
    """A finder of modules that asks the other finders. For any other module, it is one look-up in a set."""

    def __init__(self, names: Collection[str], on_import: OnImport) -> None:
        self._names = frozenset(names)
        self._on_import = on_import

    def install(self) -> None:
        """Take effect, once."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """Have no effect any more."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how one of the modules is loaded; None for all others. Called by the import system."""
        if name not in self._names:
            return None
        spec = self._ask_others(name, path, target)
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader, self._on_import)  # type: ignore[assignment] # has the methods of one
        return spec

    def _ask_others(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in tuple(sys.meta_path):
            if not isinstance(finder, ImportHook) and hasattr(finder, "find_spec"):
                spec = finder.find_spec(name, path, target)
                if spec is not None:
                    return spec
        return None


class _Loader:
    """Loads a module by its own loader, then calls the function. The module keeps its own loader."""

    def __init__(self, loader: VendorObject, on_import: OnImport) -> None:
        self._loader = loader
        self._on_import = on_import

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._on_import(module.__name__, module)
