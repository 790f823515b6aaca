"""python -m streamlit_app: serve the dashboard."""

from __future__ import annotations

import gc
import os
import sys
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Final

from streamlit_app.settings import ListenSettings
from telemetry.settings import SettingsError, load_settings

_FOLDER = Path(__file__).parent
_NEEDED: Final = (
    "streamlit_app.components.charts", "streamlit_app.components.header", "streamlit_app.data.server",
    "streamlit_app.data.alerts", "streamlit_app.data.analytics", "streamlit_app.data.chat",
    "streamlit_app.data.operations", "streamlit_app.data.reports", "streamlit_app.data.turns",
    "streamlit_app.results.columns", "streamlit_app.results.report_sql", "streamlit_app.traces.rows",
    "pandas.io.formats.style", "pyarrow.pandas_compat", "streamlit.emojis", "streamlit.material_icon_names",
)  # fmt: skip
"""What is slow to import, and may be imported before Streamlit runs: its components may not."""


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    try:
        settings = load_settings(ListenSettings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    os.chdir(_FOLDER)  # Streamlit reads its theme from where it is started
    from streamlit.web import cli  # noqa: PLC0415 - it reads them when it is imported

    _import_what_pages_need()
    cli.main(["run", str(_FOLDER / "main.py"), *_options(settings)], prog_name="streamlit")
    return 0


def _import_what_pages_need() -> None:
    """Import what the pages do before anybody opens one, who would wait for it.

    Streamlit collects garbage after each run of a page, and would look at all of this each time.
    """
    for module in _NEEDED:
        import_module(module)
    _draw_once()
    gc.collect()
    gc.freeze()


def _draw_once() -> None:
    """Draw a chart and a table: the first ones load what all others need."""
    from streamlit_app.components.charts import chart_of  # noqa: PLC0415 - see main: not before Streamlit's options

    rows = chart_of([{"at": datetime.now(UTC), "value": 1.0}])
    rows.mark_bar().encode(x="at:T", y="value:Q").to_dict()
    rows.data.style.to_html()


def _options(settings: ListenSettings) -> list[str]:
    return [
        f"--server.address={settings.host}", f"--server.port={settings.port}", "--server.headless=true",
        "--server.fileWatcherType=none", "--browser.gatherUsageStats=false", "--client.toolbarMode=minimal",
        "--client.showErrorDetails=none", "--logger.hideWelcomeMessage=true",
    ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
