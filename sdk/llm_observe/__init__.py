"""Records the calls that an application makes to LLMs, without slowing them down.

    import llm_observe
    client = llm_observe.wrap(OpenAI())

Set ``LLM_OBSERVE_ENDPOINT`` (such as ``127.0.0.1:50051``) or call :func:`configure`.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from llm_observe._api import configure, flush, instrument, log, shutdown, uninstrument, unwrap, wrap
from llm_observe._config import ConfigError
from llm_observe._counters import FlushResult
from llm_observe._session import session
from llm_observe._version import __version__

if TYPE_CHECKING:
    from llm_observe._client import ChatResult, ChatStream, LLMClient
    from llm_observe._observe import observe
    from llm_observe._span import Span
    from llm_observe.exporter import Exporter, ExportResult

__all__ = [
    "ChatResult",
    "ChatStream",
    "ConfigError",
    "ExportResult",
    "Exporter",
    "FlushResult",
    "LLMClient",
    "Span",
    "__version__",
    "configure",
    "flush",
    "instrument",
    "log",
    "observe",
    "session",
    "shutdown",
    "uninstrument",
    "unwrap",
    "wrap",
]

_LAZY_NAMES = {
    "ChatResult": "_client",
    "ChatStream": "_client",
    "ExportResult": "exporter",
    "Exporter": "exporter",
    "LLMClient": "_client",
    "Span": "_span",
    "observe": "_observe",
}
"""Names that are loaded at first use, so that importing the package is cheap, by their module."""


def __getattr__(name: str) -> object:
    if name not in _LAZY_NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"llm_observe.{_LAZY_NAMES[name]}"), name)
    globals()[name] = value
    return value
