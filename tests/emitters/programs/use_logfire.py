"""Logfire over OpenAI's client."""

from __future__ import annotations

import logfire
from openai import AsyncOpenAI, OpenAI
from openai_calls import calls
from scenarios import main

logfire.configure(send_to_logfire=False, console=False)
logfire.instrument_openai()
main(calls(OpenAI, AsyncOpenAI))
logfire.shutdown()
