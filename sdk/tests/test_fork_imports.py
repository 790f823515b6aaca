"""The sender's thread loads modules only while no process is forked: a child could never load them itself."""

from __future__ import annotations

import pytest
from collector import run, running_collector

PROGRAM = r"""
import sys, threading
import llm_observe
from llm_observe import _loading

found = []
def check(event, arguments):
    if event == "import" and threading.current_thread().name.startswith("llm-observe"):
        if not _loading._lock.locked():
            found.append(arguments[0])
sys.addaudithook(check)
llm_observe.log(provider="p", model="m", output_text="me@example.com", metadata={"a": "b"})
llm_observe.flush(600)
sys.stderr.write(f"{found}\n")
"""


@pytest.mark.parametrize("with_spool", [False, True])
def test_no_module_is_loaded_while_a_process_may_be_forked(tmp_path, with_spool):
    spool = {"spool_dir": str(tmp_path)} if with_spool else {}
    with running_collector() as collector:
        status, errors = run(PROGRAM, collector.endpoint, **spool)
        assert (status, errors) == (0, "[]\n")
        assert collector.models == ["m"]
