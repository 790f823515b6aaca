"""OpenLLMetry, of Traceloop, over OpenAI's client."""

from __future__ import annotations

from exporting import make_provider
from openai import AsyncOpenAI, OpenAI
from openai_calls import calls
from opentelemetry.instrumentation.openai import OpenAIInstrumentor
from scenarios import main

OpenAIInstrumentor().instrument(tracer_provider=make_provider())
main(calls(OpenAI, AsyncOpenAI))
