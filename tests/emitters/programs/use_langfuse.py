"""Langfuse's own client of OpenAI, which exports to the path that Langfuse's server has."""

from __future__ import annotations

from langfuse import get_client
from langfuse.openai import AsyncOpenAI, OpenAI
from openai_calls import calls
from scenarios import main

main(calls(OpenAI, AsyncOpenAI))
get_client().flush()
