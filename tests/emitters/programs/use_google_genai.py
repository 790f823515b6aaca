"""OpenTelemetry's instrumentor of Google's client."""

from __future__ import annotations

from exporting import make_provider, send_log_records
from google import genai
from google.genai.types import HttpOptions
from opentelemetry.instrumentation.google_genai import GoogleGenAiSdkInstrumentor
from scenarios import BASE_URL, KEY, QUESTION, expect_error, main

make_provider()
send_log_records()
GoogleGenAiSdkInstrumentor().instrument()
client = genai.Client(api_key=KEY, http_options=HttpOptions(base_url=BASE_URL))


async def ask(model: str) -> None:
    await client.aio.models.generate_content(model=model, contents=QUESTION)


main({
    "plain": lambda model: client.models.generate_content(model=model, contents=QUESTION),
    "stream": lambda model: list(client.models.generate_content_stream(model=model, contents=QUESTION)),
    "async": ask,
    "error": lambda model: expect_error(
        lambda: client.models.generate_content(model=model, contents=QUESTION)
    ),
})  # fmt: skip
