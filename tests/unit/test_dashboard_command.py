"""`python -m streamlit_app`: where it listens, and that it finds its theme from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib

import pytest

from stack.errors import StackError
from stack.readiness import local_address
from stack.supervisor import _refuse_passwords
from streamlit_app.__main__ import _FOLDER
from tests.support.waiting import WAIT_S

STAND_IN = """
from streamlit import config
from streamlit.web import cli
cli.main = lambda arguments, **_: print(*arguments, config.get_option("theme.light.primaryColor"))
from streamlit_app.__main__ import main
raise SystemExit(main())
"""
"""Shows what Streamlit would be started with."""


def run(folder, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STAND_IN],
        cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False, timeout=WAIT_S,
    )  # fmt: skip


def test_it_has_its_theme_from_any_folder(tmp_path):
    theme = tomllib.loads((_FOLDER / ".streamlit/config.toml").read_text())["theme"]
    shown = run(tmp_path, LLM_OBSERVE_UI_PORT="8600").stdout.split()
    assert shown[-1] == theme["light"]["primaryColor"]
    assert {"--server.address=127.0.0.1", "--server.port=8600"} <= set(shown)


def test_an_address_beyond_loopback_is_refused(tmp_path):
    done = run(tmp_path, LLM_OBSERVE_UI_HOST="0.0.0.0")
    assert done.returncode == 2
    assert done.stderr.startswith("invalid settings: LLM_OBSERVE_UI_HOST")
    done = run(tmp_path, LLM_OBSERVE_UI_HOST="0.0.0.0", LLM_OBSERVE_ALLOW_INSECURE="true")
    assert "--server.address=0.0.0.0" in done.stdout


@pytest.mark.parametrize(
    ("host", "reached"),
    [(None, "127.0.0.1:1"), ("0.0.0.0", "127.0.0.1:1"), ("10.0.0.7", "10.0.0.7:1"), ("[::]", "[::1]:1")],
)
def test_the_launcher_asks_where_it_listens(monkeypatch, host, reached):
    if host is not None:
        monkeypatch.setenv("LLM_OBSERVE_UI_HOST", host)
    assert local_address("LLM_OBSERVE_UI_HOST", 1) == reached


@pytest.mark.parametrize("variable", ["LLM_OBSERVE_DB_PASSWORD", "LLM_OBSERVE_DB_PASSWORD_FILE"])
def test_the_embedded_database_takes_no_other_password(variable):
    with pytest.raises(StackError, match=f"{variable} is set without DATABASE_URL"):
        _refuse_passwords({variable: "x"})
    _refuse_passwords({variable: ""})
