"""Observes RPCs: a span and metrics for each call. Methods are wrapped only where these are configured.

OpenTelemetry's own interceptor costs a third of a call, puts the caller's address into every span, and
records the texts of exceptions.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from llm_observe import trace_context

from telemetry import metrics, tracing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import grpc
    from google.protobuf.descriptor import MethodDescriptor

    from server.rpc.context import Context

    Serve: TypeAlias = Callable[[Any, Context], Awaitable[Any]]

_PARENT_HEADERS: Final = (trace_context.HEADER, trace_context.LINKS_HEADER)
_OK: Final = "OK"
_SERVER_ERRORS: Final = {
    "UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
}  # fmt: skip
"""Codes that OpenTelemetry counts as a failure of the server; others are the caller's."""


def observed(serve: Serve, method: MethodDescriptor) -> Serve:
    """Return what serves a method's calls and observes them: ``serve`` itself where nothing is configured."""
    if tracing.is_on():
        serve = _traced(serve, method)
    if metrics.is_on():
        serve = _counted(serve, f"{method.containing_service.name}/{method.name}")
        if method.server_streaming:
            serve = _counted_while_open(serve, f"{method.containing_service.name}/{method.name}")
    return serve


def _traced(serve: Serve, method: MethodDescriptor) -> Serve:
    name = f"{method.containing_service.full_name}/{method.name}"
    attributes = {"rpc.system.name": "grpc", "rpc.method": name}

    async def trace(request: Any, context: Context) -> Any:
        parents = _parents_of(context)
        if tracing.ignores(parents):
            return await serve(request, context)
        code = _OK
        with tracing.open_span(name, "server", attributes, parents) as span:
            try:
                return await serve(request, context)
            except BaseException as error:
                code = _code_of(error, context)
                raise
            finally:
                span.set({"rpc.response.status_code": code})
                if code in _SERVER_ERRORS:
                    span.fail(code)

    return trace


def _parents_of(context: Context) -> Sequence[str]:
    """Return what a call says of its caller's spans."""
    for key, value in context.invocation_metadata() or ():
        if key in _PARENT_HEADERS:
            return tracing.parse_traceparents(str(value))
    return ()


def _counted(serve: Serve, name: str) -> Serve:
    async def count(request: Any, context: Context) -> Any:
        begin, code = time.perf_counter(), _OK
        try:
            return await serve(request, context)
        except BaseException as error:
            code = _code_of(error, context)
            raise
        finally:
            # Looked up, since a child exists from then on: most methods never end with most codes.
            metrics.RPC_DURATION.child(name, code).record(time.perf_counter() - begin)

    return count


def _counted_while_open(serve: Serve, name: str) -> Serve:
    streams = metrics.RPC_OPEN_STREAMS.child(name)

    async def count(request: Any, context: Context) -> Any:
        streams.record(1)
        try:
            return await serve(request, context)
        finally:
            streams.record(-1)

    return count


def _code_of(error: BaseException, context: Context) -> str:
    """Return the status that the caller of a failed call sees."""
    if not isinstance(error, asyncio.CancelledError):
        code = cast("grpc.StatusCode | None", context.code())  # the stubs forget that there may be none
        return code.name if code is not None else "UNKNOWN"
    left_s = cast("float | None", context.time_remaining())  # as above
    return "CANCELLED" if left_s is None or left_s > 0 else "DEADLINE_EXCEEDED"
