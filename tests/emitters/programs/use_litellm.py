"""LiteLLM's callback."""

from __future__ import annotations

from typing import Any

import litellm
from exporting import make_provider
from litellm.litellm_core_utils.thread_pool_executor import executor
from scenarios import KEY, OPENAI_URL, QUESTION, expect_error, main

make_provider()
litellm.callbacks = ["otel"]
OPTIONS: dict[str, Any] = {
    "messages": [{"role": "user", "content": QUESTION}], "api_base": OPENAI_URL, "api_key": KEY,
    "num_retries": 0, "max_retries": 0,
}  # fmt: skip


def ask(model: str, **more: Any) -> Any:
    return litellm.completion(model=f"openai/{model}", **OPTIONS, **more)


main({
    "plain": ask,
    "stream": lambda model: list(ask(model, stream=True, stream_options={"include_usage": True})),
    "error": lambda model: expect_error(lambda: ask(model)),
})  # fmt: skip
executor.shutdown()  # its callbacks run in threads
