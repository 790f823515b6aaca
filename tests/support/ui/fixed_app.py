"""The app, at the time of the sample. Run by ``streamlit run`` in tests of pictures."""

from __future__ import annotations

import runpy
from pathlib import Path

from streamlit_app import clock
from streamlit_app.data.queue_history import HISTORY
from tests.support.ui.operations_sample import add_history
from tests.support.ui.sample import NOW

clock.now = lambda: NOW
HISTORY.clear()
add_history(HISTORY)
runpy.run_path(str(Path(clock.__file__).with_name("main.py")))
