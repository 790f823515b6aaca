"""The SDK's process-wide state, made at first use: settings, redactor, sender."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from llm_observe._batch_kind import SPANS
from llm_observe._batcher import Batcher
from llm_observe._config import Config, ConfigError
from llm_observe._exporter import GrpcExporter
from llm_observe._exporter import load as load_grpc
from llm_observe._guard import guarded, logger, swallow
from llm_observe._process_end import flush_at_end, watch_sigterm, watch_worker
from llm_observe._span import end_open_spans
from llm_observe._stream_ends import end_open_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_observe._call import Call
    from llm_observe._counters import FlushResult
    from llm_observe._span import Span
    from llm_observe.exporter import Exporter
    from llm_observe.redaction import Redactor
    from llm_observe.v1.log_pb2 import Log
    from llm_observe.v1.span_pb2 import Span as SpanMessage


_BATCHES_IN_FLIGHT: Final = 4
"""A collector that stores a batch in 0.5 seconds then takes 4,000 logs a second."""


class Runtime:
    """Sends finished calls and spans to the application's own exporter, or to the collector at the endpoint.

    Without either, calls are not recorded.
    """

    def __init__(self, config: Config, exporter: Exporter | None = None) -> None:
        self.config = config
        self.records = bool(config.endpoint) or exporter is not None
        self._redactor: Redactor | None = None
        self._sends_by_grpc = exporter is None
        self._loaded = False
        self._grpc_exporter = GrpcExporter(config)
        self._batcher: Batcher[Call] = Batcher(
            config,
            (exporter or self._grpc_exporter).export,
            self._to_log,
            on_start=watch_worker,
            prepare=self._prepare,
            most_in_flight=_BATCHES_IN_FLIGHT if exporter is None else 1,
        )
        # Spans have a queue, a thread and a channel of their own: however many there are, they delay no call.
        self._grpc_span_exporter = GrpcExporter(config)
        export_spans = getattr(exporter, "export_spans", None)
        self.records_spans = self.records and (exporter is None or export_spans is not None)
        self._span_batcher: Batcher[Span] = Batcher(
            config,
            export_spans or self._grpc_span_exporter.export_spans,
            self._to_span,
            on_start=watch_worker,
            prepare=self._prepare_spans,
            kind=SPANS,
        )
        self.submit: Callable[[Call], None] = self._batcher.add if self.records else _ignore
        """Queues a finished call, on the application's thread."""
        self.submit_span: Callable[[Span], None] = self._span_batcher.add if self.records_spans else _ignore

    def load(self) -> None:
        """Load what the sender's thread needs, once."""
        if self.records and not self._loaded:
            self._loaded = True
            self._batcher.load()
            if self._sends_by_grpc:
                load_grpc()

    def _prepare_spans(self) -> None:
        """Load what builds spans."""
        from llm_observe import _span_builder  # noqa: F401, PLC0415 - loads protobuf

        self._redactor = self._redactor or _make_redactor(self.config)

    def _to_span(self, span: Span) -> SpanMessage:
        from llm_observe._span_builder import build_span  # noqa: PLC0415 - as above

        redactor = self._redactor or _make_redactor(self.config)
        return build_span(span, redactor, capture_content=self.config.capture_content)

    def _prepare(self) -> None:
        """Load what builds logs."""
        from llm_observe import _log_builder  # noqa: F401, PLC0415 - loads protobuf

        self._redactor = self._redactor or _make_redactor(self.config)

    def _to_log(self, call: Call) -> Log:
        if self._redactor is None:
            self._redactor = _make_redactor(self.config)
        return call.to_log(
            self._redactor,
            environment=self.config.environment,
            release=self.config.release,
            capture_content=self.config.capture_content,
        )

    def flush(self, timeout_s: float) -> FlushResult:
        """Wait until every log and span before is sent or dropped; see Batcher.flush()."""
        deadline = time.monotonic() + timeout_s
        self._span_batcher.flush(0)  # both begin at once
        logs = self._batcher.flush(timeout_s)
        return logs.plus(self._span_batcher.flush(_seconds_until(deadline)))

    def shutdown(self, timeout_s: float) -> FlushResult:
        """Flush and stop."""
        deadline = time.monotonic() + timeout_s
        self._span_batcher.flush(0)  # as above
        logs = self._batcher.shutdown(timeout_s)
        spans = self._span_batcher.shutdown(_seconds_until(deadline))
        self._grpc_exporter.close()
        self._grpc_span_exporter.close()
        return logs.plus(spans)


def _seconds_until(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())


def _make_redactor(config: Config) -> Redactor:
    from llm_observe.redaction import Redactor  # noqa: PLC0415 - compiles its patterns, on the sender's thread

    return Redactor.from_settings(
        config.redaction_disabled_kinds, config.redaction_patterns, config.redaction_enabled_kinds
    )


_lock = threading.RLock()
"""Re-entrant: a stream that is garbage-collected, or a signal handler, may log a call meanwhile."""
_runtime: Runtime | None = None


def _after_fork_in_child() -> None:
    global _lock  # noqa: PLW0603 - the parent's may be held by a thread that the child does not have
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def get_runtime() -> Runtime:
    """Return the process's runtime; if none was configured, make it from the environment."""
    return _runtime if _runtime is not None else _install_from_environment()


def _install_from_environment() -> Runtime:
    """Use the environment's settings. If one is invalid, nothing is recorded, but no call fails."""
    try:
        return _install(Config.from_env())
    except ConfigError as error:
        runtime = _install(Config())
        # Only now: a logging handler may make a call, too.
        logger.error("llm_observe: %s; calls are not recorded", error)
        return runtime


def _ignore(call: Call) -> None:
    """Do nothing with a finished call or span: nothing is recorded."""


def submit(call: Call) -> None:
    """Queue a finished call. Never raises."""
    try:
        (_runtime or get_runtime()).submit(call)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("submit", error)


def submit_span(span: Span) -> None:
    """Queue a finished span. Never raises."""
    try:
        (_runtime or get_runtime()).submit_span(span)
    except Exception as error:  # noqa: BLE001 - an internal error never reaches the application
        swallow("submit_span", error)


def configure_runtime(config: Config, exporter: Exporter | None = None) -> None:
    """Replace the runtime and flush the old one."""
    global _runtime
    runtime = Runtime(config, exporter)
    with _lock:
        if _runtime is None:
            watch_sigterm()
        previous, _runtime = _runtime, runtime
    runtime.load()
    if not runtime.records:
        _say_that_nothing_is_recorded()
    if previous is not None:
        previous.shutdown(previous.config.exit_timeout_s)


def load_sender() -> None:
    """Load what the sender needs, if calls are recorded: 0.2 seconds that the first burst need not wait for.

    A busy application leaves the sender's thread little time to load modules, and calls that do not fit into
    the queue meanwhile would be dropped. The thread itself starts with the first call, after servers fork.
    """
    with guarded("load"):
        if _runtime is not None or os.environ.get("LLM_OBSERVE_ENDPOINT"):
            get_runtime().load()


def _install(config: Config) -> Runtime:
    """Use settings, unless there are some already."""
    with _lock:
        if _runtime is not None:
            return _runtime
        watch_sigterm()
        made = Runtime(config)
        runtime = _keep_first(made)  # a call that this thread logged meanwhile may have made one
    if runtime is made and not made.records:
        _say_that_nothing_is_recorded()
    return runtime


def _keep_first(made: Runtime) -> Runtime:
    global _runtime  # noqa: PLW0603 - as above
    _runtime = _runtime or made  # in one step, which nothing interrupts
    return _runtime


def _say_that_nothing_is_recorded() -> None:
    logger.info("llm_observe: no endpoint (LLM_OBSERVE_ENDPOINT); calls are not recorded")


def _flush_at_end() -> None:
    """Send what is queued, within exit_timeout_s, and report what is lost."""
    with guarded("at_exit"):
        end_open_calls()
        end_open_spans()
        if _runtime is None:
            return
        result = _runtime.shutdown(_runtime.config.exit_timeout_s)
        if result.dropped or result.pending:
            kept = f", {result.pending} kept in the spool" if result.pending else ""
            sys.stderr.write(f"llm_observe: {result.sent} logs sent, {result.dropped} dropped{kept}\n")


flush_at_end(_flush_at_end)
