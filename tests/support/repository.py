"""A copy of this repository, to try on it what changes a tree."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_AUTHOR = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull} | {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.com"), ("DATE", "2026-01-01T00:00:00Z"))
}


def git(root: Path, *arguments: str) -> str:
    """Run git in a repository, with no settings of this machine; return its output."""
    command = ["git", "-C", str(root), *arguments]
    result = subprocess.run(command, env=os.environ | _AUTHOR, check=True, capture_output=True, text=True)
    return result.stdout


def tracked_files() -> list[str]:
    """Return the paths that git knows, as they are in the working tree."""
    names = git(ROOT, "ls-files", "-z").split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def commit_copy(folder: Path) -> Path:
    """Copy the working tree's tracked files to a new repository of one commit; return its root."""
    for name in tracked_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    git(folder, "init", "-q")
    commit(folder)
    return folder


def commit(root: Path) -> None:
    """Commit all that has changed."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "test")
