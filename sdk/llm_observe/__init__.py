"""Records what happened when an application calls an LLM, without slowing the call.

    import llm_observe
    client = llm_observe.wrap(OpenAI())

Set ``LLM_OBSERVE_ENDPOINT`` (such as ``127.0.0.1:50051``) or call :func:`configure`.
"""

from llm_observe._account import FlushResult
from llm_observe._api import configure, flush, log, shutdown, unwrap, wrap
from llm_observe._client import ChatResult, ChatStream, LLMClient
from llm_observe._observe import observe
from llm_observe._session import session
from llm_observe._version import __version__

__all__ = [
    "ChatResult",
    "ChatStream",
    "FlushResult",
    "LLMClient",
    "__version__",
    "configure",
    "flush",
    "log",
    "observe",
    "session",
    "shutdown",
    "unwrap",
    "wrap",
]
