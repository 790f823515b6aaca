"""What the sender needs is loaded before the first call, if calls are recorded, and not otherwise."""

from __future__ import annotations

import subprocess
import sys

import pytest

CONFIGURE = "llm_observe.configure(endpoint='127.0.0.1:9')"
WRAP = "import openai; llm_observe.wrap(openai.OpenAI(api_key='k'))"
INSTRUMENT = "llm_observe.instrument(); import openai"
EXPORTER = "import llm_observe.exporter; llm_observe.configure(exporter=llm_observe.exporter.Exporter)"
ENDPOINT = "import os; os.environ['LLM_OBSERVE_ENDPOINT'] = '127.0.0.1:9'; "
SENDER = {"grpc", "llm_observe._log_builder", "llm_observe.redaction"}
PROGRAMS = {
    "nothing is set up": ("", set()),
    "no endpoint": (f"{WRAP}; {INSTRUMENT}", set()),
    "configured": (CONFIGURE, SENDER),
    "another exporter": (EXPORTER, SENDER - {"grpc"}),
    "wrapped": (ENDPOINT + WRAP, SENDER),
    "instrumented": (ENDPOINT + INSTRUMENT, SENDER),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_the_sender_needs_is_loaded_when_it_is_set_up(program):
    code, expected = PROGRAMS[program]
    report = f"import sys, threading; print(*sorted({SENDER} & sys.modules.keys()), threading.active_count())"
    done = subprocess.run(
        [sys.executable, "-c", f"import llm_observe\n{code}\n{report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [*sorted(expected), "1"]  # no thread: a server may fork
