"""What `make release` builds: twice the same bytes, and wheels that work where nothing else is installed."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import llm_observe
import pytest

from scripts import release
from tests.support.repository import ROOT, commit_copy

VERSION = llm_observe.__version__


@pytest.fixture(scope="module", autouse=True)
def quick_compiler():
    """Builds without optimisation, which is most of the time of a build and has no part in what is tested."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(release.FLAGS, "CFLAGS", f"{release.FLAGS['CFLAGS']} -O0")
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    root = commit_copy(tmp_path_factory.mktemp("repository"))
    release.build(root, root / "dist")
    return root


def make_venv(folder: Path, *arguments: str | Path) -> Path:
    """Make an environment with what pip is told to install; return its folder of programs."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", folder / "bin/python")
    run(*pip, "install", "--quiet", *arguments)
    return folder / "bin"


def run(*command: str | Path, cwd: Path = Path("/")) -> str:
    """Run a command without this environment's packages; return its output."""
    result = subprocess.run(command, cwd=cwd, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_a_release_has_all_its_files_and_their_checksums(built):
    names = {path.name for path in (built / "dist").iterdir()}
    stack = next(name for name in names if name.startswith(f"llm_observe_stack-{VERSION}-cp3"))
    assert names == {
        f"llm_observe-{VERSION}-py3-none-any.whl",
        f"llm_observe-{VERSION}.tar.gz",
        stack,
        f"llm_observe_stack-{VERSION}.tar.gz",
        *(f"requirements-{name}.lock" for name in release.LOCKS),
        "SHA256SUMS",
    }
    assert run("sha256sum", "--check", "SHA256SUMS", cwd=built / "dist").count(": OK") == len(names) - 1


def test_the_sdist_of_the_sdk_has_what_is_compiled(built):
    """Of the codec's modules, which the SDK links to, it has copies."""
    with tarfile.open(built / f"dist/llm_observe-{VERSION}.tar.gz") as sdist:
        files = {Path(member.name).name: member for member in sdist if "/_compiled/" in member.name}
        sources = (ROOT / "sdk/llm_observe/_compiled").glob("*.p[yx][xd]")
        assert all(files[path.name].isfile() and files[path.name].size > 100 for path in sources)


def test_a_second_build_elsewhere_has_the_same_bytes(built, tmp_path):
    release.build(built, tmp_path / "again")
    assert (tmp_path / "again/SHA256SUMS").read_text() == (built / "dist/SHA256SUMS").read_text()


SDK_PROGRAM = """
import llm_observe
llm_observe.configure(endpoint="127.0.0.1:1", exit_timeout_s=0.1)
assert llm_observe.LLMClient("demo").chat("Hello").text
assert llm_observe.flush(timeout=0).pending == 1
print(llm_observe.__version__, llm_observe.__file__)
"""


def test_the_wheel_of_the_sdk_brings_what_it_needs(built, tmp_path):
    """Its two dependencies come from the registry, as pip is set up here, in the versions of the lock."""
    wheel = built / f"dist/llm_observe-{VERSION}-py3-none-any.whl"
    programs = make_venv(tmp_path / "venv", "--constraint", ROOT / "requirements/server.in", wheel)
    version, file = run(programs / "python", "-I", "-c", SDK_PROGRAM).split()
    assert version == VERSION
    assert Path(file).is_relative_to(tmp_path)


async def test_the_wheel_of_the_stack_works(built, tmp_path, database_url):
    """Of other packages it sees those of this environment, which are the lock's; of ours only its own."""
    wheels = (built / "dist").glob("*.whl")
    programs = make_venv(tmp_path / "venv", "--no-deps", *wheels)
    packages = next((tmp_path / "venv/lib").glob("python3*/site-packages"))
    (packages / "locked.pth").write_text(sysconfig.get_path("purelib") + "\n")
    assert run(programs / "llm-observe", "--version").strip().endswith(VERSION)
    run(programs / "python", "-I", ROOT / "scripts/check_compiled.py", ROOT / "pyproject.toml")
    places = (
        "import llm_observe, server, storage; print(llm_observe.__file__, server.__file__, storage.__file__)"
    )
    for file in run(programs / "python", "-I", "-c", places).split():
        assert Path(file).is_relative_to(tmp_path)
    environment = f"DATABASE_URL={database_url}"
    assert run("env", environment, programs / "llm-observe", "migrate", "--check")
