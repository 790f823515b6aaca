"""The observe() decorator: records functions that call a model without a wrapped client."""

from __future__ import annotations

import functools
import inspect
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from llm_observe._arguments import Arguments
from llm_observe._call import Call
from llm_observe._guard import guarded
from llm_observe._providers.errors import read_error
from llm_observe._runtime import submit
from llm_observe._steps import end_with_future, make_async_generator, run_coroutine, run_generator
from llm_observe._taps import fail
from llm_observe._values import to_content, to_count, to_kept_text, to_pairs, to_text
from llm_observe.limits import MAX_METADATA_PAIRS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping

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


def observe(
    *, provider: str, model: str, operation: str = "chat", read: Read | None = None
) -> Callable[[_Function], _Function]:
    """Record each call of a function, generator, coroutine or asynchronous generator as one call to a model.

    Not for functions that use a wrapped client: their calls would be counted twice. The text of the arguments
    is the input, except arguments that are named as a secret, such as ``password`` or ``api_key``. Text that
    the function returns or yields is the output. A generator is a stream: its first text is the first token,
    and a generator that is left early is a cancelled call.

    Args:
        provider: Name of the provider, in lower case.
        model: Name of the requested model.
        operation: Name of the operation in OpenTelemetry GenAI.
        read: Called with the value that the function returned, or with each that it yielded. Returns a
            mapping with any of output_text, metadata, and these of log()'s arguments: finish_reason,
            provider_response_id, service_tier, server_address, retry_count, reported_cost_nano_usd and the
            token counts; and response_model, the model that answered.
    """
    reader = _Reader(read)
    provider, operation = to_text(provider), to_text(operation)

    def decorate(function: _Function) -> _Function:
        if isinstance(function, staticmethod | classmethod):
            return type(function)(decorate(function.__func__))
        arguments = Arguments(function)

        def begin(positional: tuple[object, ...], named: dict[str, object], *, streamed: bool) -> Call:
            call = Call(provider, operation, model, submit)
            call.streamed = streamed
            with guarded("observe"):
                call.keep_input(arguments.preview(positional, named))
            return call

        return cast("_Function", _shape(function)(function, begin, reader))

    return decorate


class _Reader:
    """Reads the values that a function returns or yields, as a provider's reader reads stream events."""

    def __init__(self, read: Read | None) -> None:
        self._read = read

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


def _shape(function: Callable[..., object]) -> Callable[..., object]:
    for body in (function, type(function).__call__):  # of an object, its class has the body
        if inspect.isasyncgenfunction(body):
            return _async_generator
        if inspect.isgeneratorfunction(body):
            return _generator
        if inspect.iscoroutinefunction(body):
            return _coroutine
    return _plain


def _plain(
    function: Callable[..., object], begin: Callable[..., Call], reader: _Reader
) -> Callable[..., object]:
    @functools.wraps(function)
    def observed(*arguments: object, **named: object) -> object:
        call = begin(arguments, named, streamed=False)
        try:
            result = function(*arguments, **named)
        except BaseException as error:
            fail(reader, call, error)
            raise
        return _settle(result, reader, call)

    return observed


def _settle(result: Any, reader: _Reader, call: Call) -> object:
    """Return what a function returned; if that is yet to run, return one like it that ends the call."""
    kind = type(result)  # isinstance() raises for an unbound proxy
    call.streamed = issubclass(kind, GeneratorType | AsyncGeneratorType)
    if issubclass(kind, GeneratorType):
        return run_generator(result, reader, call)
    if issubclass(kind, AsyncGeneratorType):
        return make_async_generator(lambda: (result, call), reader)()
    if issubclass(kind, CoroutineType):
        return run_coroutine(result, reader, call)
    if callable(getattr(kind, "add_done_callback", None)):
        with guarded("observe"):
            end_with_future(result, reader, call)
        return result
    reader.end(result, call)
    return result


def _coroutine(
    function: Callable[..., Awaitable[object]], begin: Callable[..., Call], reader: _Reader
) -> Callable[..., Awaitable[object]]:
    @functools.wraps(function)
    async def observed(*arguments: object, **named: object) -> object:
        call = begin(arguments, named, streamed=False)
        return await run_coroutine(function(*arguments, **named), reader, call)

    return observed


def _generator(
    function: Callable[..., Generator[object, object, object]], begin: Callable[..., Call], reader: _Reader
) -> Callable[..., Generator[object, object, object]]:
    @functools.wraps(function)
    def observed(*arguments: object, **named: object) -> Generator[object, object, object]:
        inner = function(*arguments, **named)
        call = begin(arguments, named, streamed=True)
        return (yield from run_generator(inner, reader, call))

    return observed


def _async_generator(
    function: Callable[..., AsyncGenerator[object, object]], begin: Callable[..., Call], reader: _Reader
) -> Callable[..., AsyncGenerator[object, object]]:
    def start(*arguments: object, **named: object) -> tuple[AsyncGenerator[object, object], Call]:
        return function(*arguments, **named), begin(arguments, named, streamed=True)

    return functools.wraps(function)(make_async_generator(start, reader))
