"""Looks for credentials in the tree, or with `--history` in everything that was ever committed.

It finds what the product's redaction finds: keys by their prefix, tokens, private keys, webhooks and
passwords in URLs. It prints where and of what kind, never the secret. Called by `make secrets`; ends with
status 1 if it finds any.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.redaction import find_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).parent.parent
_MIN_CHARS: Final = 16
"""Shorter ones are examples in documents and tests: no key is as short."""
_MIN_PASSWORD_CHARS: Final = 12
_PLACEHOLDER: Final = re.compile(r"\[[A-Z_]+\]")
"""What redaction leaves."""
_PIECE_CHARS: Final = 1_000_000
"""Longer texts are read in pieces, so that their forms fit into memory."""
_OVERLAP_CHARS: Final = 20_000
"""Pieces overlap by more than the longest credential."""


class Finding(NamedTuple):
    """A credential, and where it is."""

    where: str
    kind: str


def find_in(text: str, where: str) -> Iterator[Finding]:
    """Yield the credentials in a text. One where two pieces of it overlap is yielded twice."""
    for begin in range(0, max(1, len(text) - _OVERLAP_CHARS), _PIECE_CHARS - _OVERLAP_CHARS):
        piece = text[begin : begin + _PIECE_CHARS]
        for found in find_credentials(piece):
            if _is_real(found.kind, piece[found.start : found.end]):
                line = text.count("\n", 0, begin + found.start) + 1
                yield Finding(f"{where}:{line}", found.kind)


def _is_real(kind: str, value: str) -> bool:
    if kind == "URL_PASSWORD":
        # With a backslash it is a regular expression for URLs, which have none.
        return len(value) >= _MIN_PASSWORD_CHARS and "\\" not in value and not _PLACEHOLDER.fullmatch(value)
    return len(value) >= _MIN_CHARS and not _PLACEHOLDER.fullmatch(value)


def find_in_tree() -> Iterator[Finding]:
    """Yield the credentials in the files that git knows."""
    for name in _git("ls-files", "-z").split("\0"):
        path = ROOT / name
        if name and path.is_file():
            yield from find_in(path.read_bytes().decode("utf-8", "ignore"), name)


def find_in_history() -> Iterator[Finding]:
    """Yield the credentials in lines that any commit of any branch has added, and in its message."""
    options = (
        "--all",
        "-p",
        "--diff-merges=dense-combined",
        "--unified=0",
        "--no-color",
        "--format=%x00%h%n%B",
    )
    for commit in _git("log", *options).split("\0"):
        name, _, rest = commit.partition("\n")
        message, *diffs = rest.split("\ndiff --")
        yield from find_in(message, f"{name} message")
        for diff in diffs:
            path = diff.partition("\n")[0].rpartition(" ")[2].removeprefix("b/")
            added = "\n".join(
                line.lstrip("+") for line in diff.splitlines() if line.lstrip(" ").startswith("+")
            )
            yield from find_in(added, f"{name} {path}")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout.decode("utf-8", "ignore")


def main() -> int:
    """Print what was found."""
    history = sys.argv[1:] == ["--history"]
    findings = sorted(set(find_in_history() if history else find_in_tree()))
    for finding in findings:
        sys.stdout.write(f"{finding.where}: {finding.kind}\n")
    where = "the history" if history else "the tree"
    sys.stdout.write(f"{len(findings)} credentials in {where}\n")
    return int(bool(findings))


if __name__ == "__main__":
    raise SystemExit(main())
