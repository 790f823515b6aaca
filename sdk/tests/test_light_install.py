"""The SDK, installed alone from its folder, needs only grpcio and protobuf."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

SDK = Path(__file__).parent.parent
NEEDED = ("grpc", "google/protobuf", "typing_extensions.py")


def test_the_built_sdk_works_with_grpcio_and_protobuf_alone(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(SDK, source, ignore=shutil.ignore_patterns("tests", "build", "*.egg-info", "__pycache__"))
    site = tmp_path / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--target",
            site,
            source,
        ],
        check=True,
        capture_output=True,
        timeout=600,
        env={**os.environ, "CFLAGS": "-O0"},  # optimising is most of a build, and no part of what is tested
    )
    assert (site / "llm_observe/py.typed").exists()
    here = Path(sysconfig.get_path("purelib"))
    for name in NEEDED:
        (site / name).parent.mkdir(exist_ok=True)
        (site / name).symlink_to(here / name)
    code = (
        f"import sys, time; sys.path.insert(0, {str(site)!r})\n"
        "import llm_observe\n"
        "assert llm_observe.__file__.startswith(sys.path[0])\n"
        "llm_observe.configure(endpoint='127.0.0.1:9', exit_timeout_s=0.3)\n"
        "llm_observe.LLMClient('demo').chat('hello', max_output_tokens=1)\n"
        "while not {'grpc', 'llm_observe.redaction'} <= sys.modules.keys(): time.sleep(0.01)\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "llm_observe: 0 logs sent, 1 dropped\n")


def test_the_sdk_has_two_dependencies():
    text = (SDK / "pyproject.toml").read_text()
    assert 'dependencies = ["grpcio>=1.68.1,<2", "protobuf>=5.28.1,<8"]' in text
