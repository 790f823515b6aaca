"""A module is reported when it has been imported, and loaded as ever."""

from __future__ import annotations

import importlib
import inspect
import sys
import threading
from collections.abc import Iterator
from types import ModuleType

import pytest
from llm_observe._import_hook import ImportHook

NAME = "imported_later"


@pytest.fixture
def seen(tmp_path, monkeypatch) -> Iterator[list[ModuleType]]:
    (tmp_path / f"{NAME}.py").write_text("def answer():\n    return 42\n")
    (tmp_path / "another.py").touch()
    (tmp_path / "imported_badly.py").write_text("raise LookupError\n")
    monkeypatch.syspath_prepend(tmp_path)
    modules: list[ModuleType] = []
    hook = ImportHook({NAME, "imported_badly", "not_installed"}, lambda _, module: modules.append(module))
    hook.install()
    hook.install()
    assert sys.meta_path.count(hook) == 1
    yield modules
    hook.remove()
    hook.remove()
    sys.modules.pop(NAME, None)


def test_a_module_is_reported_after_its_code_has_run(seen):
    module = importlib.import_module(NAME)
    assert seen == [module]
    assert module.answer() == 42
    importlib.import_module(NAME)
    assert len(seen) == 1


def test_a_module_keeps_its_own_loader(seen):
    module = importlib.import_module(NAME)
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__
    assert type(module.__loader__).__name__ == "SourceFileLoader"
    assert "return 42" in inspect.getsource(module)


def test_a_reloaded_module_is_reported_again(seen):
    module = importlib.import_module(NAME)
    assert importlib.reload(module) is module
    assert seen == [module, module]


def test_errors_of_the_import_are_its_own(seen):
    with pytest.raises(LookupError):
        importlib.import_module("imported_badly")
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module("not_installed")
    assert caught.value.name == "not_installed"
    assert seen == []


def test_other_modules_are_not_looked_for(seen, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(ImportHook, "_ask_others", lambda _self, name, *_: asked.append(name))
    importlib.import_module("another")
    assert asked == []


def test_threads_that_import_at_once_report_it_once(seen):
    threads = [threading.Thread(target=importlib.import_module, args=(NAME,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 1
