"""The recipes of the page Setup, as they are printed: each sends a call here, with a key."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from stack.demo.provider_mock import ProviderMock, running_mock
from streamlit_app.setup_recipes import KEY, Recipe, environment, recipes
from tests.support.installed import Environment, behaviour_of, install
from tests.support.keys import make_key
from tests.support.server import running_server
from tests.support.waiting import eventually

pytestmark = pytest.mark.emitters

_OPENAI: Final = """
import os
client = OpenAI(base_url=os.environ["MOCK_URL"] + "/v1", api_key="not-a-key")
client.chat.completions.create(model="gpt-4o-plain", messages=[{"role": "user", "content": "Hi"}])
"""
_CLIENT: Final = "from openai import OpenAI\n" + _OPENAI
_MODEL: Final = 'model="gpt-4o-plain", base_url=os.environ["MOCK_URL"] + "/v1", api_key="not-a-key"'
CALLS: Final = {
    "OpenInference: OpenAI": ("openinference_openai", ("openai",), _CLIENT),
    "OpenInference: Anthropic": ("openinference_anthropic", ("anthropic",), """
import os
from anthropic import Anthropic
client = Anthropic(base_url=os.environ["MOCK_URL"], api_key="not-a-key")
client.messages.create(model="claude-plain", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
"""),
    "OpenInference: LangChain": ("openinference_langchain", ("langchain-openai",), f"""
import os
from langchain_openai import ChatOpenAI
ChatOpenAI({_MODEL}).invoke("Hi")
"""),
    "OpenInference: LlamaIndex": ("openinference_llama_index", ("llama-index-llms-openai",), """
import os
from llama_index.llms.openai import OpenAI
OpenAI(model="gpt-4o", api_base=os.environ["MOCK_URL"] + "/v1", api_key="not-a-key").complete("Hi")
"""),
    "OpenInference: OpenAI Agents": ("openai_agents", ("openai-agents",), """
import os
from agents import Agent, OpenAIResponsesModel, Runner
from openai import AsyncOpenAI
client = AsyncOpenAI(base_url=os.environ["MOCK_URL"] + "/v1", api_key="not-a-key")
model = OpenAIResponsesModel(model="gpt-4o-plain", openai_client=client)
Runner.run_sync(Agent(name="helper", model=model), "Hi")
"""),
    "OpenLLMetry: OpenAI": ("openllmetry_openai", ("openai",), _CLIENT),
    "OpenTelemetry: OpenAI": ("genai_openai", ("openai",), _CLIENT),
    "Pydantic AI": ("pydantic_ai", ("pydantic-ai-slim[openai,anthropic]",), """
import os
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
provider = OpenAIProvider(base_url=os.environ["MOCK_URL"] + "/v1", api_key="not-a-key")
Agent(OpenAIChatModel("gpt-4o-plain", provider=provider)).run_sync("Hi")
"""),
    "Logfire": ("logfire", ("openai",), _CLIENT),
    "Langfuse": ("langfuse", ("openai",), _OPENAI),
    "LiteLLM": ("litellm", ("litellm",), """
import os
from litellm.litellm_core_utils.thread_pool_executor import executor
litellm.completion(model="openai/gpt-4o-plain", messages=[{"role": "user", "content": "Hi"}],
                   api_base=os.environ["MOCK_URL"] + "/v1", api_key="not-a-key")
executor.shutdown()  # its callbacks run in threads
"""),
    "Strands": ("strands", ("strands-agents[openai,otel]",), """
import os
from strands.models.openai import OpenAIModel
options = {"base_url": os.environ["MOCK_URL"] + "/v1", "api_key": "not-a-key"}
Agent(model=OpenAIModel(client_args=options, model_id="gpt-4o-plain"), callback_handler=None)("Hi")
"""),
}  # fmt: skip
"""By recipe: its environment among those of test_emitters, what it instruments, and a call."""
ENDPOINT: Final = "http://the-server:4318"
RECIPES: Final = {recipe.name: recipe for recipe in recipes(ENDPOINT)}


@pytest.fixture
def mock() -> Iterator[ProviderMock]:
    with running_mock() as running:
        running.behaviour_of = behaviour_of
        yield running


def installed(recipe: Recipe, folder: Path) -> Environment:
    name, packages, _ = CALLS[recipe.name]
    return install(name, (*recipe.packages, *packages), os.environ.get("EMITTERS_DIR") or folder)


def variables(printed: str, address: str, key: str) -> dict[str, str]:
    """Return what the printed lines would export in a shell."""
    lines = printed.replace(ENDPOINT, address).replace(KEY, key).splitlines()
    words = [shlex.split(line) for line in lines]
    assert all(word[0] == "export" for word in words)
    return dict(word[1].split("=", 1) for word in words)


def test_every_recipe_is_tried():
    assert set(CALLS) == set(RECIPES)


@pytest.mark.parametrize("name", CALLS)
async def test_a_recipe_sends_a_call(
    name, mock, tmp_path, database_url, queue_settings, database, sql, worker
):
    recipe, key = RECIPES[name], await make_key(database, "ingest")
    async with running_server(database_url, queue_settings, require_keys=True) as server:
        assert server.otlp_http is not None
        env = variables(
            recipe.environment or environment(ENDPOINT), f"http://127.0.0.1:{server.otlp_http.port}", key
        )
        own = {"PATH": os.environ["PATH"], "MOCK_URL": mock.base_url, "OPENAI_API_KEY": "not-a-key",
               "LITELLM_LOCAL_MODEL_COST_MAP": "true"}  # fmt: skip
        program = tmp_path / "program.py"
        program.write_text(f"{recipe.code}\n{CALLS[name][2]}")
        where = installed(recipe, tmp_path)
        await asyncio.to_thread(where.run, program, env={**own, **env})

        async def stored() -> bool:
            return bool(await sql.fetchval("SELECT count(*) FROM logs") == len(mock.models) == 1)

        await eventually(stored)
