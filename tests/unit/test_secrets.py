"""No credential is in the tree; `make secrets` looks through the history, too."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ROOT / "scripts/find_secrets.py"
KEY = "PRIVATE KEY-----"
MADE_UP = {
    "a key": "sk-" + "proj-" + "aB3dE6gH9jK2mN5pQ8sT1vW4" * 2,
    "a key of this product": "llmo_" + "aB3dE6gH" + "9jK2mN5pQ8sT1vW4xY7zA0bC3dE6gH9jK2mN5pQ8sT1",
    "a token of a forge": "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zA0bC3dE6",
    "a password in a URL": "postgresql://app:" + "Tr0ub4dor3xyz" + "@db:5432/app",
    "a private key": "-----BEGIN "
    "PRIVATE KEY-----\n" + "MIIEvQIBADANBgkq" * 8 + "\n-----END " + "PRIVATE KEY-----",
}


@pytest.fixture
def script(monkeypatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("find_secrets", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "find_secrets", module)
    spec.loader.exec_module(module)
    return module


def git(*arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.example")
    subprocess.run(["git", *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(script, tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(script, "ROOT", tmp_path)
    git("init", "-q", str(tmp_path))
    return tmp_path


def commit(repository: Path, text: str, message: str = "change") -> None:
    (repository / "file.txt").write_text(text)
    git("-C", str(repository), "add", "-A")
    git("-C", str(repository), "commit", "-q", "-m", message)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout of git")
def test_the_tree_holds_no_credential(script):
    assert [*script.find_in_tree()] == []


@pytest.mark.parametrize("kind", MADE_UP)
def test_a_credential_is_found_and_not_shown(script, repository, capsys, kind):
    commit(repository, f"first\nvalue = {MADE_UP[kind]}\n")
    assert script.main() == 1
    printed = capsys.readouterr().out
    assert "file.txt:2" in printed
    assert MADE_UP[kind][-12:] not in printed


@pytest.mark.parametrize("kind", MADE_UP)
def test_a_credential_that_was_deleted_is_found_in_the_history(script, repository, kind):
    commit(repository, f"value = {MADE_UP[kind]}\n")
    commit(repository, "value = none\n")
    assert [*script.find_in_tree()] == []
    assert len({*script.find_in_history()}) == 1


def test_a_credential_in_a_message_is_found(script, repository):
    commit(repository, "a", message=f"use {MADE_UP['a key']}")
    (found,) = {*script.find_in_history()}
    assert found.where.endswith("message:1")


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://user:password@host/name",
        "Bearer <key>",
        "sk-...",
        "[URL_PASSWORD]",
        r"(://[^\s:/@]{0,200}:)[^\s/@]{1,200}(?=@)",
    ],
)
def test_examples_are_no_credentials(script, text):
    assert [*script.find_in(text, "file")] == []


@pytest.mark.parametrize("before", [5_000_000, 999_990, 980_001])
def test_a_credential_deep_in_a_file_or_where_pieces_of_it_meet_is_found(script, before):
    text = "a line\n" * (before // 7) + "x" * (before % 7) + f" {MADE_UP['a key']} " + "a line\n" * 9
    assert {found.where for found in script.find_in(text, "file")} == {f"file:{before // 7 + 1}"}
