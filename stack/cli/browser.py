"""`llm-observe open`: the dashboard in a browser."""

from __future__ import annotations

import os
import webbrowser

import click

from stack.data_dir import DataDir
from stack.errors import StackError
from stack.readiness import local_address, ui_answers
from stack.supervisor import UI_PORT


@click.command(name="open")
def open_dashboard() -> None:
    """Open the dashboard in a browser.

    It is the one that runs from the data folder, or else the one at LLM_OBSERVE_UI_PORT on this machine. Its
    address is printed, too.
    """
    address = _find_dashboard()
    url = f"http://{address}"
    click.echo(url)
    if not ui_answers(address):
        raise StackError(f"no answer from {url}: see `llm-observe status`")
    webbrowser.open(url)


def _find_dashboard() -> str:
    """Return the dashboard's ``host:port``.

    Raises:
        StackError: None is known.
    """
    variable, _ = UI_PORT
    home = DataDir.from_env()
    ports = home.read_state().get("ports", {}) if home.running_supervisor() is not None else {}
    port = ports.get("ui") or os.environ.get(variable, "").strip()
    if not port:
        raise StackError(f"nothing runs from {home.root}: start everything with `llm-observe up`")
    return local_address("LLM_OBSERVE_UI_HOST", port)
