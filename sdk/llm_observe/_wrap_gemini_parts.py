"""Records what google.genai.Client does beside ``models``: interactions, Live, batches and videos."""

from __future__ import annotations

import functools
import inspect
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from llm_observe import _stand_in
from llm_observe._background import find_call
from llm_observe._batch_results import end_result, read_lines
from llm_observe._call import ERROR, SUCCESS, Call
from llm_observe._guard import attempt, swallow
from llm_observe._providers import gemini, gemini_interactions
from llm_observe._providers.errors import read_error_body
from llm_observe._providers.fields import answer_of, fields_of, parse_json_object, snake_case
from llm_observe._providers.gemini_live import GeminiConversation
from llm_observe._response_bytes import read_passing_bytes
from llm_observe._runtime import submit
from llm_observe._server_address import note_server_address
from llm_observe._sockets import observe_socket
from llm_observe._stream_ends import fail
from llm_observe._values import to_http_status, to_text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from llm_observe._vendor import VendorClass, VendorObject

    Locate = Callable[[VendorObject, Call], None]
    """Notes on a Call where an object of the client calls."""

IS_WRAPPED: Final = "_llm_observe_is_wrapped"
"""Where a part keeps whether its client is wrapped; else its calls are recorded while every client's are."""
_HTTP_ERRORS: Final = 400
"""HTTP statuses from here on are errors."""


def interactions_members(locate: Locate, part_class: VendorClass) -> dict[str, object]:
    """Record interactions or decisions: each makes its requests with one method."""
    asynchronous = hasattr(part_class, "do_request_async")
    name = "do_request_async" if asynchronous else "do_request"
    return {name: (_arequest if asynchronous else _request)(getattr(part_class, name), locate)}


def _request(original: Callable[..., VendorObject], locate: Locate) -> Callable[..., VendorObject]:
    @functools.wraps(original)
    def do_request(self: VendorObject, *arguments: VendorObject, **options: VendorObject) -> VendorObject:
        call = _begin(self, locate, options)
        if call is None:
            return original(self, *arguments, **options)
        try:
            response = original(self, *arguments, **options)
        except BaseException as error:
            fail(gemini_interactions, call, error)
            raise
        return _settle(call, response)

    return do_request


def _arequest(original: Callable[..., VendorObject], locate: Locate) -> Callable[..., VendorObject]:
    @functools.wraps(original)
    async def do_request(
        self: VendorObject, *arguments: VendorObject, **options: VendorObject
    ) -> VendorObject:
        call = _begin(self, locate, options)
        if call is None:
            return await original(self, *arguments, **options)
        try:
            response = await original(self, *arguments, **options)
        except BaseException as error:
            fail(gemini_interactions, call, error)
            raise
        return _settle(call, response)

    return do_request


def _begin(part: VendorObject, locate: Locate, options: dict[str, VendorObject]) -> Call | None:
    if not (getattr(part, IS_WRAPPED) or _stand_in.every_client):
        return None
    try:
        request = options["request"]
        call = gemini_interactions.describe(options["hook_ctx"].operation_id, request)
        if call is not None:
            note_server_address(part, request.url, call)
            locate(part, call)  # after it: the application may have named the provider
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("describe", error)
        return None
    return call


def _settle(call: Call, response: VendorObject) -> VendorObject:
    """Read an HTTP response: now if it is complete, else as its bytes pass. Returns the same response."""
    attempt("read_http", _read_http, call, response)
    return response


def _read_http(call: Call, response: VendorObject) -> None:
    failed = response.status_code >= _HTTP_ERRORS
    if failed:
        call.http_status = to_http_status(response.status_code)
        call.error_code = f"http_{response.status_code}"
    if not failed and not response.is_closed:
        read_passing_bytes(gemini_interactions, call, response)
        return
    answer = answer_of(response)
    if answer is not None:
        gemini_interactions.read_response(answer, call)
    call.finish(ERROR if failed else SUCCESS)


def live_members(locate: Locate, live_class: VendorClass) -> dict[str, object]:
    """Record Live sessions."""

    @asynccontextmanager
    async def connect(self: VendorObject, **options: VendorObject) -> AsyncIterator[VendorObject]:
        async with live_class.connect(self, **options) as session:
            make = functools.partial(
                GeminiConversation, options.get("model"), functools.partial(locate, self)
            )
            attempt("observe_session", _observe_session, session, make)
            yield session

    return {"connect": functools.wraps(live_class.connect)(connect)}


def _observe_session(session: VendorObject, make: Callable[[], GeminiConversation]) -> None:
    observe_socket(session._ws, make)  # noqa: SLF001 - the session shows it nowhere else


def batches_members(locate: Locate, batches_class: VendorClass) -> dict[str, object]:
    """Record the results of a batch when the application gets the batch that has ended."""
    return _reading("get", batches_class, functools.partial(_read_batch, locate))


def files_members(locate: Locate, files_class: VendorClass) -> dict[str, object]:
    """Record the results of a batch when the application downloads the file that they are in."""
    return _reading("download", files_class, functools.partial(_read_file, locate))


def operations_members(locate: Locate, operations_class: VendorClass) -> dict[str, object]:
    """Record the end of a video when the application asks for its operation."""
    del locate
    return _reading("get", operations_class, _read_operation)


def _reading(
    name: str, owner_class: VendorClass, read: Callable[[VendorObject, VendorObject], None]
) -> dict[str, object]:
    """Return a method that reads its answer and hands it on."""
    original = getattr(owner_class, name)

    @functools.wraps(original)
    def method(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        answer = original(self, *arguments, **options)
        attempt("read_answer", read, self, answer)
        return answer

    @functools.wraps(original)
    async def amethod(self: VendorObject, *arguments: object, **options: object) -> VendorObject:
        answer = await original(self, *arguments, **options)
        attempt("read_answer", read, self, answer)
        return answer

    return {name: amethod if inspect.iscoroutinefunction(original) else method}


def _read_operation(_: VendorObject, operation: VendorObject) -> None:
    call = find_call(to_text(operation.name))
    if call is not None:
        gemini.read_operation(operation, call)
        call.finish()


def _read_batch(locate: Locate, batches: VendorObject, job: VendorObject) -> None:
    results = fields_of(job.dest)
    for name, operation in (
        ("inlined_responses", "chat"),
        ("inlined_embed_content_responses", "embeddings"),
    ):
        for number, result in enumerate(results.get(name) or ()):
            call = gemini.describe(operation, {"model": job.model}, stream=False, sink=submit)
            locate(batches, call)
            attempt("read_result", _read_result, result, call, f"gemini {job.name} {number}")


def _read_file(locate: Locate, files: VendorObject, content: VendorObject) -> None:
    """Record a file of results: each line has the key of its request."""
    if isinstance(content, bytes):
        read_lines(content, functools.partial(_read_line, locate, files))


def _read_line(locate: Locate, files: VendorObject, line: bytes) -> None:
    result = parse_json_object(line, snake_case)
    if result is not None and result.key is not None and (result.response or result.error):
        answer = fields_of(result.response)
        call = gemini.describe("chat", {"model": answer.get("model_version")}, stream=False, sink=submit)
        locate(files, call)
        _read_result(result, call, f"gemini {answer.get('response_id') or result.key}")


def _read_result(result: VendorObject, call: Call, key: str) -> None:
    response = result.response
    if response is None:
        read_error_body(result.error, call)
    elif call.operation == "embeddings":
        call.input_tokens = call.total_tokens = response.token_count
    else:
        gemini.read_response(response, call)
    end_result(call, key, ERROR if response is None else SUCCESS)
