"""The TypeScript package: fresh, publishable, and its own tests against real servers."""

from __future__ import annotations

import filecmp
import json
import re
import shutil
import tarfile

import pytest

from tests.support.clients import CLIENTS, ROOT, CommandFailed, run

NODE = CLIENTS / "node"
OLDEST = 20


@pytest.fixture(scope="module")
async def packages() -> None:
    """Install the package's dependencies and compile its tests, or skip where they cannot be had."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("no Node.js with npm on this machine")
    version = await run("node", "--version", folder=NODE)
    if int(version.removeprefix("v").split(".")[0]) < OLDEST:
        pytest.skip(f"Node.js {OLDEST} or later is needed, this is {version.strip()}")
    try:
        await run("npm", "ci", "--no-audit", "--no-fund", folder=NODE)
    except CommandFailed as failed:
        if "EUSAGE" in str(failed):  # package.json and the lock differ
            raise
        pytest.skip(f"npm cannot install the packages: {str(failed).strip().splitlines()[-1]}")
    await run("npm", "run", "pretest", folder=NODE)


def test_the_lock_names_no_registry():
    text = (NODE / "package-lock.json").read_text()
    assert not re.search(r'https?://|"resolved"', text)
    locked = json.loads(text)["packages"]
    assert all(entry.get("integrity") for name, entry in locked.items() if name)


@pytest.mark.parametrize("package", ["clients/node", "sdk"])
def test_the_readme_of_a_package_links_to_nothing_outside_it(package):
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / package / "README.md").read_text())
    assert not [link for link in links if not link.startswith(("https://", "#"))]


async def test_the_generated_code_is_fresh(packages, tmp_path):
    fresh = tmp_path / "gen"
    await run("scripts/generate_clients.sh", "node", folder=ROOT, env={"OUT": str(fresh)})
    compared = [filecmp.dircmp(fresh, NODE / "src/gen")]
    while compared:
        folder = compared.pop()
        assert not folder.left_only + folder.right_only + folder.diff_files, "run 'make proto-clients'"
        compared.extend(folder.subdirs.values())


async def test_the_package_holds_what_its_users_need(packages, tmp_path):
    await run("npm", "pack", "--pack-destination", str(tmp_path), folder=NODE)
    (packed,) = tmp_path.glob("*.tgz")
    with tarfile.open(packed) as archive:
        names = set(archive.getnames())
        archive.extractall(tmp_path, filter="data")
    assert {"package/LICENSE", "package/README.md", "package/dist/index.d.ts"} <= names
    assert not [name for name in names if name.endswith(".ts") and not name.endswith(".d.ts")]
    installed = tmp_path / "node_modules/@llm-observe/client"
    installed.parent.mkdir(parents=True)
    (tmp_path / "package").rename(installed)
    for dependency in ("@bufbuild", "@connectrpc", "@types"):
        (tmp_path / "node_modules" / dependency).symlink_to(NODE / "node_modules" / dependency)
    (example,) = re.findall(r"```ts\n(.*?)```", (NODE / "README.md").read_text(), re.DOTALL)
    (tmp_path / "example.mts").write_text(example)
    compiler = NODE / "node_modules/.bin/tsc"
    await run(
        str(compiler),
        "--strict",
        "--skipLibCheck",
        "--module",
        "nodenext",
        "--target",
        "es2022",
        "example.mts",
        folder=tmp_path,
    )
    program = (
        'import { connect } from "@llm-observe/client"; import { Outcome } from "@llm-observe/client/v1/log";'
        " connect().close(); console.log(Outcome.SUCCESS);"
    )
    assert await run("node", "--input-type=module", "-e", program, folder=tmp_path) == "1\n"


@pytest.mark.parametrize("servers", ["open", "tls"], indirect=True)
async def test_its_own_tests_pass(packages, servers):
    output = await run("npm", "test", "--ignore-scripts", folder=NODE, env=servers)  # compiled above
    counts = dict(re.findall(r"^\W+ (pass|fail|skipped) (\d+)$", output, re.MULTILINE))
    # Each kind of server leaves two tests without what they need.
    assert (counts["fail"], counts["skipped"]) == ("0", "2"), output
    assert int(counts["pass"]) >= 10, output
