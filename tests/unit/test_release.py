"""Versions, changelog and contract: what a release needs, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import llm_observe
import pytest

from scripts import release
from tests.support.repository import ROOT, commit, commit_copy

NEXT = "9.8.7"
NEWER = "\n### SDK\n\n- Newer.\n\n### App\n\n- Newer.\n  More.\n"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that is prepared for the next version."""
    root = commit_copy(tmp_path_factory.mktemp("prepared"))
    release.prepare(root, NEXT)
    changelog = root / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(f"## {NEXT}\n", f"## {NEXT}\n\n- News.\n\n## 9.8.6\n"))
    commit(root)
    return root


@pytest.fixture
def repository(prepared: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    return Path(shutil.copytree(prepared, tmp_path / "repository"))


def test_one_version_stands_everywhere():
    for path, found in release.versions(ROOT).items():
        assert set(found) == {llm_observe.__version__}, path


def test_the_changelog_has_this_version():
    assert release.section((ROOT / "CHANGELOG.md").read_text(), llm_observe.__version__)


def test_a_prepared_tree_is_accepted(repository):
    release.check(repository, NEXT)
    assert {version for found in release.versions(repository).values() for version in found} == {NEXT}


def test_preparing_twice_changes_nothing_more(repository):
    release.prepare(repository, NEXT)
    release.check(repository, NEXT)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # prepared for the first time
        ("\n- Any.\n\n### SDK\n\n- New.\n", "\n## 2.0.0\n\n- Any.\n\n### SDK\n\n- New.\n"),
        # again, with and without something new
        (
            NEWER + "\n## 2.0.0\n\n- Any.\n\n### SDK\n\n- New.\n",
            "\n## 2.0.0\n\n- Any.\n\n### SDK\n\n- Newer.\n- New.\n\n### App\n\n- Newer.\n  More.\n",
        ),
        ("\n## 2.0.0\n\n### SDK\n\n- New.\n", "\n## 2.0.0\n\n### SDK\n\n- New.\n"),
    ],
)
@pytest.mark.parametrize("older", ["", "\n## 1.9.0\n\n### SDK\n\n- Old.\n\n## 1.8.0\n\n- Older.\n"])
def test_what_is_unreleased_goes_to_the_version(before: str, after: str, older: str):
    title = "# Changelog\n\n## Unreleased\n"
    assert release.move_unreleased(title + before + older, "2.0.0") == title + after + older


def test_what_came_after_preparing_is_part_of_it(repository):
    replace(repository / "CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- Latest.\n")
    replace(
        repository / "proto/llm_observe/v1/health_service.proto",
        "string version = 5;",
        "string version = 5;\n  // Another.\n  string added = 99;",
    )
    release.prepare(repository, NEXT)
    commit(repository)
    release.check(repository, NEXT)
    assert release.section((repository / "CHANGELOG.md").read_text(), NEXT) == "- Latest.\n- News."


def test_what_is_tagged_is_not_prepared_again(repository):
    subprocess.run(["git", "tag", f"v{NEXT}"], cwd=repository, check=True)
    with pytest.raises(release.ReleaseError, match="is tagged"):
        release.prepare(repository, NEXT)


def test_preparing_hides_no_break(repository):
    with_another_contract(repository)
    with pytest.raises(release.ReleaseError, match="release"):
        release.prepare(repository, "9.9.0")


def uncommitted(root: Path) -> None:
    (root / "new.txt").write_text("new")


def without_news(root: Path) -> None:
    replace(root / "CHANGELOG.md", "\n- News.\n", "")


def of_another_version(root: Path) -> None:
    replace(root / "clients/node/package.json", NEXT, "9.8.6")


def with_another_contract(root: Path) -> None:
    replace(root / "proto/llm_observe/v1/health_service.proto", "string version = 5;", "string release = 5;")


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (uncommitted, "not committed"),
        (without_news, f'CHANGELOG.md has nothing under "## {NEXT}"'),
        (of_another_version, "package.json says 9.8.6"),
        (with_another_contract, "released.binpb is not what proto/ says"),
    ],
)
def test_a_tree_that_is_not_ready_is_refused(
    repository: Path, change: Callable[[Path], None], complaint: str
):
    change(repository)
    if change is not uncommitted:
        commit(repository)
    with pytest.raises(release.ReleaseError, match=complaint):
        release.check(repository, NEXT)


@pytest.mark.parametrize(
    ("old", "new", "broken"),
    [
        ("string version = 5;", "// Another.\n  string version = 5;", False),
        ("string version = 5;", "string version = 5;\n  // Another.\n  string added = 99;", False),
        ("string version = 5;", "string version = 5 [deprecated = true];", False),
        ("string version = 5;", "", True),
        ("string version = 5;", "string release = 5;", True),
        ("string version = 5;", "string version = 99;", True),
        ("string version = 5;", "int64 version = 5;", True),
        ("HEALTH_STATE_HEALTHY = 1;", "HEALTH_STATE_HEALTHY = 9;", True),
        ("rpc Check(", "rpc Ask(", True),
    ],
)
def test_what_breaks_the_released_contract_is_found(tmp_path: Path, old: str, new: str, *, broken: bool):
    """As `make proto-breaking` does, which needs neither a tag nor a network."""
    shutil.copytree(ROOT / "proto", tmp_path / "proto")
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    replace(tmp_path / "proto/llm_observe/v1/health_service.proto", old, new)
    command = [str(Path(sys.executable).parent / "buf"), "breaking", "--against", str(release.CONTRACT)]
    result = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert bool(result.returncode) == broken, result.stdout + result.stderr
