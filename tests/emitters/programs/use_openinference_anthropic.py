"""OpenInference over Anthropic's client, which traces itself: each call is reported twice."""

from __future__ import annotations

from anthropic_calls import calls
from exporting import make_provider
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from scenarios import main

AnthropicInstrumentor().instrument(tracer_provider=make_provider())
main(calls())
