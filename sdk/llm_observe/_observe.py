"""The observe() decorator: a function that calls a model its own way, recorded like any other call."""

from __future__ import annotations

import functools
import inspect
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar, cast

from llm_observe._arguments import Arguments
from llm_observe._call import Call
from llm_observe._guard import guarded
from llm_observe._providers.errors import read_error
from llm_observe._runtime import submit
from llm_observe._taps import atap, fail, tap
from llm_observe._values import to_content, to_count, to_pairs, to_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    Read = Callable[[Any], Mapping[str, Any]]

_Function = TypeVar("_Function", bound="Callable[..., Any]")
_TEXTS = ("response_model", "finish_reason")
_COUNTS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)


def observe(
    *, provider: str, model: str, operation: str = "chat", read: Read | None = None
) -> Callable[[_Function], _Function]:
    """Record each call of a function, generator, coroutine or asynchronous generator as one call to a model.

    For calls that no wrapped client makes, or they would be counted twice. The text of the arguments is the
    input, but for arguments that are named as a secret, such as ``password`` or ``api_key``; text that is
    returned or yielded is the output. A generator is a stream: its first text is the first token, and leaving
    it early is a cancelled call.

    Args:
        provider: Who serves it, lower case.
        model: The model asked for.
        operation: As OpenTelemetry GenAI names it.
        read: Given what the function returned, or each thing it yielded, returns what it tells: a mapping of
            output_text, response_model, finish_reason, metadata and the token counts (input_tokens,
            output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens).
    """
    reader = _Reader(read)
    provider, operation = to_text(provider), to_text(operation)

    def decorate(function: _Function) -> _Function:
        arguments = Arguments(function)

        def begin(positional: tuple[Any, ...], named: dict[str, Any], *, streamed: bool) -> Call:
            call = Call(provider, operation, model, submit)
            call.streamed = streamed
            with guarded("observe"):
                call.input_text = arguments.preview(positional, named)
            return call

        return cast("_Function", _shape(function)(function, begin, reader))

    return decorate


class _Reader:
    """Reads what a function returns or yields, as a provider's reader does its stream events."""

    def __init__(self, read: Read | None) -> None:
        self._read = read

    def read_chunk(self, chunk: Any, call: Call) -> bool:
        """Take what was yielded, or returned."""
        known: dict[str, Any] = {}
        if self._read is not None:
            with guarded("observe read"):  # a function of the application: without it there is still the text
                known = dict(self._read(chunk) or {})
        # Asked of the type: isinstance() of an unbound proxy raises.
        text = to_content(known.get("output_text")) or (chunk if issubclass(type(chunk), str) else "")
        if text:
            if call.streamed:
                call.note_first_token()
            call.add_output(text)
        if known:
            _note_known(known, call)
        return False

    def read_error(self, error: BaseException, call: Call) -> None:
        """Take what is known of the failure, whichever client it comes from."""
        read_error(error, call)

    def end(self, result: Any, call: Call) -> None:
        """Close a call whose function returned."""
        with guarded("observe"):
            self.read_chunk(result, call)
        call.finish()


def _note_known(known: dict[str, Any], call: Call) -> None:
    for name in _TEXTS:
        if name in known:
            setattr(call, name, to_text(known[name]))
    for name in _COUNTS:
        if name in known:
            setattr(call, name, to_count(known[name]))
    call.metadata += to_pairs(known.get("metadata"))
    if call.total_tokens is None and call.input_tokens is not None and call.output_tokens is not None:
        call.total_tokens = call.input_tokens + call.output_tokens


def _shape(function: Any) -> Any:
    if inspect.isasyncgenfunction(function):
        return _async_generator
    if inspect.isgeneratorfunction(function):
        return _generator
    return _coroutine if inspect.iscoroutinefunction(function) else _plain


def _plain(function: Any, begin: Callable[..., Call], reader: _Reader) -> Any:
    @functools.wraps(function)
    def observed(*arguments: Any, **named: Any) -> Any:
        call = begin(arguments, named, streamed=False)
        try:
            result = function(*arguments, **named)
        except BaseException as error:
            fail(reader, call, error)
            raise
        reader.end(result, call)
        return result

    return observed


def _coroutine(function: Any, begin: Callable[..., Call], reader: _Reader) -> Any:
    @functools.wraps(function)
    async def observed(*arguments: Any, **named: Any) -> Any:
        call = begin(arguments, named, streamed=False)
        try:
            result = await function(*arguments, **named)
        except BaseException as error:
            fail(reader, call, error)
            raise
        reader.end(result, call)
        return result

    return observed


def _generator(function: Any, begin: Callable[..., Call], reader: _Reader) -> Any:
    @functools.wraps(function)
    def observed(*arguments: Any, **named: Any) -> Iterator[Any]:
        call = begin(arguments, named, streamed=True)
        yield from tap(function(*arguments, **named), reader, call)

    return observed


def _async_generator(function: Any, begin: Callable[..., Call], reader: _Reader) -> Any:
    @functools.wraps(function)
    async def observed(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
        call = begin(arguments, named, streamed=True)
        async with (
            aclosing(function(*arguments, **named)) as inner,
            aclosing(atap(inner, reader, call)) as passing,  # type: ignore[type-var] # a generator
        ):
            async for piece in passing:
                yield piece

    return observed
