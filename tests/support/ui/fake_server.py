"""A gRPC server whose answers a test chooses. It serves every service of the product."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import grpc
import llm_observe.v1
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2
from grpc_status import rpc_status

from server.rpc.errors import ApiError

Answer = Message | ApiError | Iterable[Message] | Callable[[Any], "Answer"]


class FakeServer:
    """``answers`` are by "Service.Method".

    An answer is a message, an ApiError, the messages of a stream, or a function that makes one of the
    request. A method without an answer is UNIMPLEMENTED. ``requests`` are all that came, oldest first.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, Message]] = []
        self.delay_s = 0.0
        """How long every answer takes."""
        self._running = threading.Event()
        self._running.set()
        self._server = grpc.server(ThreadPoolExecutor(64))
        self._server.add_generic_rpc_handlers([_handlers(service, self) for service in _services()])
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def hang(self) -> None:
        """Answer nothing, like a suspended process."""
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    def requests_to(self, method: str) -> list[Message]:
        """Return what "Service.Method" was asked, oldest first."""
        return [request for name, request in self.requests if name == method]

    @contextmanager
    def serving(self) -> Iterator[FakeServer]:
        self._server.start()
        try:
            yield self
        finally:
            self.resume()
            self._server.stop(None).wait()

    def answer(self, method: MethodDescriptor, request: Message, context: grpc.ServicerContext) -> Answer:
        name = f"{method.containing_service.name}.{method.name}"
        self.requests.append((name, request))
        self._running.wait()
        time.sleep(self.delay_s)
        answer: Answer | None = self.answers.get(name)
        while callable(answer):
            answer = answer(request)
        if answer is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, name)
        if isinstance(answer, ApiError):
            status: status_pb2.Status = answer.to_status()
            context.abort_with_status(rpc_status.to_status(status))
        return answer

    def stream(
        self, method: MethodDescriptor, request: Message, context: grpc.ServicerContext
    ) -> Iterator[Message]:
        answer = self.answer(method, request, context)
        for part in answer if isinstance(answer, Iterable) else [answer]:
            if isinstance(part, ApiError):  # the stream breaks off here
                status: status_pb2.Status = part.to_status()
                context.abort_with_status(rpc_status.to_status(status))
            assert isinstance(part, Message)
            yield part


def _services():
    for module in iter_modules(llm_observe.v1.__path__):
        if module.name.endswith("_pb2"):
            loaded = import_module(f"llm_observe.v1.{module.name}")
            yield from loaded.DESCRIPTOR.services_by_name.values()


def _handlers(service, fake: FakeServer) -> grpc.GenericRpcHandler:
    return grpc.method_handlers_generic_handler(
        service.full_name, {method.name: _handler(method, fake) for method in service.methods}
    )


def _handler(method: MethodDescriptor, fake: FakeServer):
    if method.client_streaming:  # no page sends streams
        return grpc.stream_unary_rpc_method_handler(
            lambda _, context: context.abort(grpc.StatusCode.UNIMPLEMENTED, "")
        )
    make = (
        grpc.unary_stream_rpc_method_handler
        if method.server_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    act = fake.stream if method.server_streaming else fake.answer
    return make(
        lambda request, context: act(method, request, context),
        GetMessageClass(method.input_type).FromString,
        GetMessageClass(method.output_type).SerializeToString,
    )
