"""Gathers the pages of the documentation site and builds it: build_site.py [GENERATOR], for `make docs-site`.

Pages stand in docs/, and where forges look for them: README.md and others at the root, in sdk/ and clients/.
In the site, docs/ is the root, and links between all of them hold. What is no page of the site, such as code,
keeps its name and loses its link.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE, SITE = ROOT / "build/site-source", ROOT / "build/site"
OUTSIDE = {
    "README.md": "index.md",
    **{name: name for name in ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")},
    **{f"{folder}/README.md": f"{folder}/README.md" for folder in ("sdk", "clients", "clients/node")},
}
"""Pages that are not in docs/, and their places in the site."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
_FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def pages() -> dict[str, str]:
    """Return the site's place of each file, by its path in the repository."""
    documents = (path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*") if path.is_file())
    return {name: name.removeprefix("docs/") for name in documents} | OUTSIDE


def rewrite(text: str, name: str, places: dict[str, str]) -> str:
    """Return a page's text with its links as they are from its place in the site."""
    here = posixpath.dirname(places[name])

    def replace(match: re.Match[str]) -> str:
        picture, label, target = match.groups()
        path, hash_sign, anchor = target.partition("#")
        if not path or ":" in path:
            return match[0]
        full = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
        full = full if full in places else f"{full}/README.md"
        if full not in places:
            return label
        return f"{picture}[{label}]({posixpath.relpath(places[full], here or '.')}{hash_sign}{anchor})"

    parts = _FENCED.split(text)
    return "".join(part if index % 2 else _LINK.sub(replace, part) for index, part in enumerate(parts))


def gather() -> None:
    """Write the pages and pictures to the folder that the generator reads."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    places = pages()
    for name, place in places.items():
        target = SOURCE / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".md"):
            target.write_text(rewrite((ROOT / name).read_text("utf-8"), name, places), "utf-8")
        else:
            shutil.copyfile(ROOT / name, target)


def main(generator: str = "zensical") -> None:
    """Build the site; raise CalledProcessError if a page is missing or a link is dead."""
    gather()
    subprocess.run(
        [generator, "build", "--clean", "--strict", "-f", ROOT / "mkdocs.yml"], cwd=ROOT, check=True
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
