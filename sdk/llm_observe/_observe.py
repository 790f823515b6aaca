"""observe(): records functions that call a model without a wrapped client, and the steps around calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast, overload

from llm_observe._call import Call
from llm_observe._guard import guarded
from llm_observe._observe_shapes import decorate
from llm_observe._observe_span import SpanObserver, observe_span
from llm_observe._providers.errors import read_error
from llm_observe._runtime import submit
from llm_observe._span import pairs_of
from llm_observe._values import to_content, to_count, to_kept_text, to_pairs, to_text
from llm_observe.limits import MAX_METADATA_PAIRS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # Any, so that the application's function may take the type that its decorated function returns.
    Read = Callable[[Any], Mapping[str, object]]

_Function = TypeVar("_Function", bound="Callable[..., object]")
_TEXTS = ("response_model", "finish_reason", "provider_response_id", "service_tier", "server_address")
_COUNTS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "reported_cost_nano_usd",
    "retry_count",
)
_UNSET: Final = cast("str", object())
_CALLS: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
"""Operations of OpenTelemetry GenAI that are calls to a model."""
_STEPS: Final = frozenset({
    "invoke_agent", "create_agent", "execute_tool", "invoke_workflow", "retrieval", "chain", "plan",
    "agent_step", "execute_task",
})  # fmt: skip
"""Operations that are none, even if they name a model: what it used is in the calls inside."""


@overload
def observe(
    *, provider: str, model: str, operation: str = "chat", read: Read | None = None
) -> Callable[[_Function], _Function]: ...


@overload
def observe(
    *,
    operation: str,
    name: str = "",
    attributes: Mapping[str, object] | None = None,
    traceparent: str | None = None,
    read: Read | None = None,
) -> SpanObserver: ...


def observe(
    *,
    provider: str = _UNSET,
    model: str = _UNSET,
    operation: str = "chat",
    name: str = _UNSET,
    attributes: Mapping[str, object] | None = None,
    traceparent: str | None = None,
    read: Read | None = None,
) -> Callable[[_Function], _Function] | SpanObserver:
    """Record each call of a function: with a provider and a model as a call to that model, else as a span.

    It decorates functions, generators, coroutines and asynchronous generators. The text of the arguments is
    the input, except arguments that are named as a secret, such as ``password`` or ``api_key``. Text that the
    function returns or yields is the output. What is cancelled, or a generator that is left early, is
    recorded as cancelled.

    A **call** is for functions that call a model in their own way, not for those that use a wrapped client:
    their calls would be counted twice. A generator is a stream: its first text is the first token.

    A **span** is a step around calls, such as a tool (``execute_tool``) or an agent (``invoke_agent``). Calls
    and further spans inside belong to it, also in tasks that are started there and in threads that run with a
    copy of the context. It belongs to the span around it: ours, or OpenTelemetry's where that is loaded.
    It is also a context manager, for ``with`` and ``async with``, which gives a Span to be described::

        with llm_observe.observe(operation="retrieval", name="manuals") as span:
            span.set_attribute("documents", len(found))

    Args:
        provider: Name of the provider, in lower case.
        model: Name of the requested model.
        operation: Name of the operation in OpenTelemetry GenAI. Agents, tools, workflows and retrieval are
            always spans.
        name: What the span is called: by default, what the function is.
        attributes: What else to say of the span; see Span.set_attribute().
        traceparent: The W3C header of the request that is handled: the span belongs to its trace.
        read: Called with the value that the function returned, or with each that it yielded. Returns a
            mapping with any of output_text, metadata, and, for a call, these of log()'s arguments:
            finish_reason, provider_response_id, service_tier, server_address, retry_count,
            reported_cost_nano_usd and the token counts; and response_model, the model that answered.

    Raises:
        TypeError: A call without a provider or a model, or a call with what only a span has.
    """
    operation = to_text(operation)
    model_pairs = (("gen_ai.provider.name", provider), ("gen_ai.request.model", model))
    given = [(key, value) for key, value in model_pairs if value is not _UNSET]
    if operation in _STEPS or not (given or operation in _CALLS):
        called = "" if name is _UNSET else to_kept_text(name)
        return observe_span(operation, called, (*given, *pairs_of(attributes)), traceparent, read)
    if len(given) < len(model_pairs):
        raise TypeError("observe() needs a provider and a model for a call")
    if not (name is _UNSET and attributes is None and traceparent is None):
        raise TypeError("observe() takes name, attributes and traceparent for spans only")
    recorder = _CallRecorder(to_text(provider), model, operation, read)
    return lambda function: decorate(function, recorder)


class _CallRecorder:
    """Records calls, and reads the values that a function returns or yields as a provider's reader does."""

    is_around = False

    def __init__(self, provider: str, model: str, operation: str, read: Read | None) -> None:
        self._provider = provider
        self._model = model
        self._operation = operation
        self._read = read

    def start(self, _name: str) -> Call:
        """Begin a call."""
        return Call(self._provider, self._operation, self._model, submit)

    def read_chunk(self, chunk: object, call: Call) -> bool:
        """Record a value that the function yielded or returned."""
        known: dict[str, object] = {}
        if self._read is not None:
            with guarded(
                "observe read"
            ):  # the application's function: if it fails, the text is still recorded
                known = dict(self._read(chunk) or {})
        # Not isinstance(), which raises for an unbound proxy.
        text = to_content(known.get("output_text")) or (chunk if issubclass(type(chunk), str) else "")
        if text:
            if call.streamed:
                call.note_first_token()
            call.add_output(text)
        if known:
            _note_known(known, call)
        return False

    def read_error(self, error: BaseException, call: Call) -> None:
        """Record the details of an error, whichever client raised it."""
        read_error(error, call)

    def end(self, result: object, call: Call) -> None:
        """End a call whose function returned."""
        with guarded("observe"):
            self.read_chunk(result, call)
        call.finish()


def _note_known(known: dict[str, object], call: Call) -> None:
    for name in _TEXTS:
        if name in known:
            setattr(call, name, to_kept_text(known[name]))
    for name in _COUNTS:
        if name in known:
            setattr(call, name, to_count(known[name]))
    if pairs := to_pairs(known.get("metadata")):  # a stream may state them with each chunk
        call.metadata = tuple(dict((*call.metadata, *pairs)).items())[:MAX_METADATA_PAIRS]
    if call.total_tokens is None and call.input_tokens is not None and call.output_tokens is not None:
        call.total_tokens = call.input_tokens + call.output_tokens
