"""Pages without a browser, and the app as a process for browsers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType

from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from stack import processes
from streamlit_app.__main__ import _options
from streamlit_app.data.connection import forget_connection
from streamlit_app.settings import ListenSettings
from tests.support.ports import free_port

ROOT = Path(__file__).parent.parent.parent.parent
UNHURRIED_S = "60"
"""How long the app waits for an answer in tests that are not about waiting."""
_STOP_S = 60.0

# For each page that it runs, Streamlit reads the metadata of all installed packages to find components, which
# takes longer than the page itself. What is installed stays the same.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


def page(name: str, **query: str | list[str]) -> AppTest:
    """Return a page by its name in ``pages.py``, alone: without sidebar and links. Call its ``run()``."""
    app = AppTest.from_string(f"from streamlit_app.views.{name} import render\nrender()", default_timeout=120)
    app.query_params.update(query)
    return app


def choose_timeout(monkeypatch, seconds: str) -> None:
    """Set how long the pages wait for an answer."""
    monkeypatch.setenv("LLM_OBSERVE_UI_TIMEOUT_S", seconds)
    forget_connection()


@contextmanager
def running_app(
    grpc_port: int,
    log: Path,
    timeout_s: str = UNHURRIED_S,
    *,
    port: int = 0,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[str]:
    """Run the app as a process, at the time of the sample; yield its address.

    ``timeout_s`` is how long it waits for an answer of the server; ``variables`` are more settings.
    """
    port = port or free_port()
    script = Path(__file__).with_name("fixed_app.py")
    env = {
        **os.environ,
        "LLM_OBSERVE_GRPC_PORT": str(grpc_port),
        "LLM_OBSERVE_UI_TIMEOUT_S": timeout_s,
        "PYTHONPATH": str(ROOT),
        **variables,
    }
    settings = ListenSettings(LLM_OBSERVE_UI_PORT=port)
    command = [sys.executable, "-m", "streamlit", "run", str(script)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            processes.prepared([*command, *_options(settings)]),
            cwd=ROOT / "streamlit_app",
            env=env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)
