"""python -m streamlit_app: serve the dashboard."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from streamlit_app.settings import ListenSettings
from telemetry.settings import SettingsError, load_settings

_FOLDER = Path(__file__).parent


def main() -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    try:
        settings = load_settings(ListenSettings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    os.chdir(_FOLDER)  # Streamlit reads its theme from where it is started
    from streamlit.web import cli  # noqa: PLC0415 - it reads them when it is imported

    cli.main(["run", str(_FOLDER / "main.py"), *_options(settings)], prog_name="streamlit")
    return 0


def _options(settings: ListenSettings) -> list[str]:
    return [
        f"--server.address={settings.host}", f"--server.port={settings.port}", "--server.headless=true",
        "--server.fileWatcherType=none", "--browser.gatherUsageStats=false", "--client.toolbarMode=minimal",
        "--client.showErrorDetails=none", "--logger.hideWelcomeMessage=true",
    ]  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
