"""Type-checked, never run: the signatures applications rely on."""

from __future__ import annotations

import llm_observe
from openai import AsyncOpenAI, OpenAI

client: OpenAI = llm_observe.wrap(OpenAI())
async_client: AsyncOpenAI = llm_observe.wrap(AsyncOpenAI())
log_id: str = llm_observe.log(provider="mine", model="m", latency_s=0.1)
flushed: llm_observe.FlushResult = llm_observe.flush(timeout=1.0)
with llm_observe.session("s", user_id="u", tags=["a"], metadata={"k": "v"}) as session_id:
    found: str = session_id
with llm_observe.observe(operation="retrieval", name="manuals", attributes={"k": 3}) as span:
    span.set_attribute("documents", 2)
    header: str = span.traceparent


@llm_observe.observe(operation="invoke_agent")
def plan(question: str) -> int:
    return len(question)


@llm_observe.observe(provider="mine", model="m")
def ask(question: str) -> str:
    return question


length: int = plan(ask("why?"))
result: llm_observe.ChatResult = llm_observe.LLMClient("demo").chat("hello")
