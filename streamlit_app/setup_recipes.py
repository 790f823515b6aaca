"""How applications send here, by what they are instrumented with. Nothing here knows of Streamlit.

Each recipe is what tests/emitters runs, less the provider that is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY: Final = "YOUR_KEY"
"""Stands for an API key; no key is ever shown."""


class Recipe(NamedTuple):
    """What to do for one emitter."""

    name: str
    packages: tuple[str, ...]
    """To be installed beside the application's own."""
    code: str
    """What to add; in Python unless ``language`` says otherwise."""
    note: str = ""
    environment: str = ""
    """Variables that replace those that most recipes need."""
    language: str = "python"


_EXPORTER: Final = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")
_PROVIDER: Final = """\
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
"""


def environment(endpoint: str) -> str:
    """Return the variables that every exporter of OTLP over HTTP reads."""
    return (
        f"export OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}\n"
        "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n"
        f'export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer {KEY}"\n'
        "export OTEL_SERVICE_NAME=my-application"
    )


def collector(endpoint: str) -> str:
    """Return the configuration of a collector that passes on what it receives."""
    return f"""\
receivers:
  otlp: {{protocols: {{grpc: {{}}, http: {{}}}}}}
exporters:
  otlphttp/llm-observe:
    endpoint: {endpoint}
    headers: {{authorization: "Bearer ${{env:LLM_OBSERVE_API_KEY}}"}}
service:
  pipelines:
    traces: {{receivers: [otlp], exporters: [otlphttp/llm-observe]}}
    logs: {{receivers: [otlp], exporters: [otlphttp/llm-observe]}}
"""


def recipes(endpoint: str) -> Sequence[Recipe]:
    """Return the recipes for a server whose OTLP over HTTP is at an address such as http://127.0.0.1:4318."""
    return (
        _instrumentor("OpenInference: OpenAI", "openinference-instrumentation-openai", "OpenAIInstrumentor"),
        _instrumentor(
            "OpenInference: Anthropic", "openinference-instrumentation-anthropic", "AnthropicInstrumentor",
            note="Anthropic's client 2 traces itself as well; each call is still one log.",
        ),
        _instrumentor(
            "OpenInference: LangChain", "openinference-instrumentation-langchain", "LangChainInstrumentor",
            note="The client's instrumentor may be added: it tells more, and each call is still one log.",
        ),
        _instrumentor(
            "OpenInference: LlamaIndex", "openinference-instrumentation-llama-index", "LlamaIndexInstrumentor"
        ),
        _instrumentor(
            "OpenInference: OpenAI Agents", "openinference-instrumentation-openai-agents",
            "OpenAIAgentsInstrumentor",
        ),
        _instrumentor(
            "OpenLLMetry: OpenAI", "opentelemetry-instrumentation-openai", "OpenAIInstrumentor"
        ),
        _instrumentor(
            "OpenTelemetry: OpenAI", "opentelemetry-instrumentation-genai-openai", "OpenAIInstrumentor",
            note="Without this variable no prompt and no answer is sent.",
            environment=f"{environment(endpoint)}\n"
            "export OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental\n"
            "export OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY",
        ),
        Recipe(
            "Pydantic AI", _EXPORTER,
            f"{_PROVIDER}\nfrom pydantic_ai import Agent\n\nAgent.instrument_all()",
        ),
        Recipe(
            "Logfire", ("logfire",),
            "import logfire\n\nlogfire.configure(send_to_logfire=False)\nlogfire.instrument_openai()",
        ),
        Recipe(
            "Langfuse", ("langfuse",), "from langfuse.openai import OpenAI  # instead of openai's",
            note="The key is the secret key; the public key may be anything.",
            environment=f"export LANGFUSE_BASE_URL={endpoint}\nexport LANGFUSE_HOST={endpoint}\n"
            f"export LANGFUSE_PUBLIC_KEY=any\nexport LANGFUSE_SECRET_KEY={KEY}",
        ),
        Recipe(
            "LiteLLM", _EXPORTER, f'{_PROVIDER}\nimport litellm\n\nlitellm.callbacks = ["otel"]',
            environment=f"{environment(endpoint)}\nexport OTEL_EXPORTER=otlp_http\n"
            f"export OTEL_ENDPOINT={endpoint}",
        ),
        Recipe("Strands", _EXPORTER, f"{_PROVIDER}\nfrom strands import Agent"),
    )  # fmt: skip


def _instrumentor(
    name: str, package: str, class_name: str, *, note: str = "", environment: str = ""
) -> Recipe:
    """Return the recipe of an instrumentor, whose module has the name of its package."""
    root, _, last = package.partition("-instrumentation-")
    module = f"{root}.instrumentation.{last.replace('genai-', 'genai.').replace('-', '_')}"
    code = f"{_PROVIDER}\nfrom {module} import {class_name}\n\n{class_name}().instrument()"
    return Recipe(name, (package, *_EXPORTER), code, note, environment)
