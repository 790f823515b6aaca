"""Makes a release: `prepare` writes version and contract into the tree, `build` makes the files of a commit.

What is built depends on the commit (and, for compiled modules, on compiler and Python): building it twice
gives the same bytes. docs/releasing.md is the recipe.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = Path("proto/released.binpb")
"""Descriptors of the last release, which `buf breaking` compares the protos with."""
_BUF = Path(sys.executable).parent / "buf"
DISTRIBUTIONS = ("sdk", ".")
LOCKS = ("server", "app", "run")
FLAGS = {"CFLAGS": "-g0", "LDFLAGS": "-s"}
"""Of compiled modules: nothing in them depends on the folder in which they were built."""
_VERSION = r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?"


class Place(NamedTuple):
    """Where a version is written: a pattern whose group 1 is followed by it, and how often it occurs."""

    path: str
    before: str
    times: int = 1


PLACES = (
    Place("sdk/llm_observe/_version.py", r'^(__version__ = ")'),
    Place("sdk/pyproject.toml", r'^(version = ")'),
    Place("pyproject.toml", r'^(version = ")'),
    Place("clients/node/package.json", r'^(  "version": ")'),
    Place("clients/node/package-lock.json", r'("name": "@llm-observe/client",\s+"version": ")', 2),
    Place("Dockerfile", r"^(ARG VERSION=)"),
    Place("k8s/overlays/production/kustomization.yaml", r"(newTag: )", 2),
    Place("docs/grpcurl.md", r'^(  "version": ")'),
)


class ReleaseError(Exception):
    """The tree is not what a release can be made of."""


def versions(root: Path) -> dict[str, list[str]]:
    """Return the versions that each of `PLACES` has."""
    return {
        place.path: [match[2] for match in _pattern(place).finditer((root / place.path).read_text("utf-8"))]
        for place in PLACES
    }


def prepare(root: Path, version: str) -> None:
    """Write the version to all its places and into the changelog, and the protos as the released contract.

    A version that was prepared before and never tagged takes up what has come since.

    Raises:
        ReleaseError: The version is tagged, the protos break the contract, or a place lacks its version.
    """
    if _run("git", "tag", "--list", f"v{version}", cwd=root):
        raise ReleaseError(f"v{version} is tagged: what it holds cannot change")
    if (root / CONTRACT).exists():
        _run(_BUF, "breaking", "--against", CONTRACT, cwd=root)
    for place in PLACES:
        path = root / place.path
        text, count = _pattern(place).subn(rf"\g<1>{version}", path.read_text("utf-8"))
        if count != place.times:
            raise ReleaseError(f"{place.path} has {count} versions, not {place.times}")
        path.write_text(text, "utf-8")
    changelog = root / "CHANGELOG.md"
    changelog.write_text(move_unreleased(changelog.read_text("utf-8"), version), "utf-8")
    (root / CONTRACT).write_bytes(contract(root))


def move_unreleased(changelog: str, version: str) -> str:
    """Return a changelog whose unreleased entries are those of a version, before what it has already.

    Entries go under the heading of the same name; new headings come first.
    """
    parts = {"": "", **_parts(section(changelog, "Unreleased"))}
    for heading, entries in _parts(section(changelog, version)).items():
        parts[heading] = "\n".join(filter(None, (parts.get(heading), entries)))
    written = "\n\n".join(
        f"### {name}\n\n{entries}" if name else entries for name, entries in parts.items() if entries
    )
    older = re.split(
        rf"^## (?!Unreleased$|{re.escape(version)}$)", changelog, maxsplit=1, flags=re.MULTILINE
    )[1:]
    before = changelog.partition("## Unreleased\n")[0]
    return f"{before}## Unreleased\n\n## {version}\n\n{written}\n" + "".join(f"\n## {text}" for text in older)


def _parts(section: str) -> dict[str, str]:
    """Split a section into the entries of each heading; those above all headings have none."""
    above, *rest = re.split(r"^### (.+)$", section, flags=re.MULTILINE)
    parts = {"": above, **dict(zip(rest[::2], rest[1::2], strict=True))}
    return {heading: entries.strip() for heading, entries in parts.items() if entries.strip()}


def section(changelog: str, version: str) -> str:
    """Return what the changelog says of a version, or nothing."""
    found = re.search(rf"^## {re.escape(version)}$(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def contract(root: Path) -> bytes:
    """Return the descriptors of the protos in a tree, without comments."""
    return _run(_BUF, "build", "--exclude-source-info", "-o", "-#format=binpb", cwd=root)


def check(root: Path, version: str) -> None:
    """Raise ReleaseError unless the tree is committed and prepared for this version."""
    if dirt := _run("git", "status", "--porcelain", cwd=root).decode().strip():
        raise ReleaseError(f"the tree has changes that are not committed:\n{dirt}")
    for path, found in versions(root).items():
        if set(found) != {version}:
            raise ReleaseError(f"{path} says {', '.join(found) or 'nothing'}, not {version}")
    if not section((root / "CHANGELOG.md").read_text("utf-8"), version):
        raise ReleaseError(f'CHANGELOG.md has nothing under "## {version}"')
    if (root / CONTRACT).read_bytes() != contract(root):
        raise ReleaseError(f"{CONTRACT} is not what proto/ says")


def build(root: Path, out: Path) -> list[Path]:
    """Build sdists, wheels, locks and checksums of the commit that is checked out; return the files."""
    epoch = _run("git", "log", "-1", "--format=%ct", cwd=root).decode().strip()
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        source.mkdir()
        subprocess.run(["tar", "x", "-C", source], input=_run("git", "archive", "HEAD", cwd=root), check=True)
        for distribution in DISTRIBUTIONS:
            _build_distribution(source / distribution, out, epoch)
        for name in LOCKS:
            shutil.copyfile(source / f"requirements/{name}.lock", out / f"requirements-{name}.lock")
    files = sorted(out.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (out / "SHA256SUMS").write_text(sums)
    return [*files, out / "SHA256SUMS"]


def _build_distribution(source: Path, out: Path, epoch: str) -> None:
    """Build an sdist, and from it, which proves that it is complete, a wheel."""
    sdist = _call_backend("build_sdist", source, out, epoch)
    _make_reproducible(sdist, int(epoch))
    with tempfile.TemporaryDirectory() as folder, tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
        wheel = _call_backend("build_wheel", next(Path(folder).iterdir()), out, epoch)
    _check_compiled(wheel, source / "pyproject.toml")


def _call_backend(hook: str, source: Path, out: Path, epoch: str) -> Path:
    """Call a hook of setuptools (PEP 517) in a process of its own; return the file that it made."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch, **FLAGS}
    environment["LLM_OBSERVE_NO_EXTENSIONS"] = "1"  # the SDK's wheel is for every platform
    code = f"from setuptools import build_meta; print(build_meta.{hook}({str(out)!r}))"
    printed = _run(sys.executable, "-c", code, cwd=source, env=environment).decode()
    return out / printed.splitlines()[-1]


def _check_compiled(wheel: Path, pyproject: Path) -> None:
    """Raise ReleaseError if a compiled module is missing, which setuptools passes over in silence."""
    declared = tomllib.loads(pyproject.read_text("utf-8"))["tool"]["setuptools"].get("ext-modules", [])
    files = zipfile.ZipFile(wheel).namelist()
    for name in (module["name"].replace(".", "/") for module in declared):
        if not any(file.startswith(f"{name}.") and file.endswith(".so") for file in files):
            raise ReleaseError(f"{wheel.name} lacks the compiled module {name}: is there a C compiler?")


def _make_reproducible(sdist: Path, epoch: int) -> None:
    """Write an archive again, in order, with one time and no owner."""
    rewritten = sdist.with_suffix(".tmp")
    with (
        tarfile.open(sdist) as old,
        rewritten.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    rewritten.replace(sdist)


def _pattern(place: Place) -> re.Pattern[str]:
    return re.compile(rf"{place.before}({_VERSION})", re.MULTILINE)


def _run(*command: str | Path, cwd: Path, env: dict[str, str] | None = None) -> bytes:
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, check=False)
    if result.returncode:
        output = (result.stdout + result.stderr).decode(errors="replace")
        raise ReleaseError(f"{command[0]} failed:\n{output}")
    return result.stdout


def main() -> int:
    """Run a subcommand; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=("prepare", "build"))
    parser.add_argument("version")
    arguments = parser.parse_args()
    version = str(arguments.version)
    if not re.fullmatch(_VERSION, version):
        parser.error(f"{version!r} is not a version such as 0.2.0 or 0.3.0rc1")
    try:
        if arguments.command == "prepare":
            prepare(ROOT, version)
            print(f"prepared {version}: review `git diff`, commit, then `make release VERSION={version}`")
        else:
            check(ROOT, version)
            for path in build(ROOT, ROOT / "dist"):
                print(path.relative_to(ROOT))
            print(f"to publish it: git tag -a v{version} -m v{version} && git push origin v{version}")
    except ReleaseError as error:
        sys.stderr.write(f"no release: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
