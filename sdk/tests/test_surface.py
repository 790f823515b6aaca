"""The public names are listed, and importing the package is cheap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import llm_observe


def test_the_public_names_are_as_listed():
    assert llm_observe.__all__ == [
        "ChatResult",
        "ChatStream",
        "ConfigError",
        "ExportResult",
        "Exporter",
        "FlushResult",
        "LLMClient",
        "Span",
        "__version__",
        "configure",
        "flush",
        "instrument",
        "log",
        "observe",
        "session",
        "shutdown",
        "uninstrument",
        "unwrap",
        "wrap",
    ]
    assert all(hasattr(llm_observe, name) for name in llm_observe.__all__)


def test_every_other_module_is_private():
    folder = Path(llm_observe.__file__).parent
    public = {path.stem for path in folder.iterdir() if not path.name.startswith(("_", "."))}
    assert public == {
        "channel",
        "exporter",
        "ids",
        "limits",
        "py",
        "redaction",
        "screening",
        "trace_context",
        "v1",
    }


def test_importing_loads_no_slow_modules():
    heavy = ("grpc", "google.protobuf", "openai", "asyncio", "inspect")
    code = f"import sys, llm_observe; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_version_matches_the_distribution():
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert f'version = "{llm_observe.__version__}"' in text
