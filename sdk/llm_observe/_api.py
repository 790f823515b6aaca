"""The functions an application calls."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Literal, TypeVar

from llm_observe._call import CANCELLED, ERROR, SUCCESS, Call
from llm_observe._config import Config
from llm_observe._providers.errors import code_by_class
from llm_observe._runtime import configure_runtime, get_runtime, submit
from llm_observe._values import (
    KEPT_TEXT_CHARS,
    to_content,
    to_count,
    to_duration_ns,
    to_flag,
    to_kept_text,
    to_pairs,
    to_retry_count,
    to_text,
    to_time_ns,
    to_uuid,
)
from llm_observe.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from llm_observe._counters import FlushResult
    from llm_observe.exporter import Exporter

_Client = TypeVar("_Client")
_OUTCOMES = {"success": SUCCESS, "error": ERROR, "cancelled": CANCELLED}


def configure(
    *,
    endpoint: str | None = None,
    api_key: str | None = None,
    tls: bool | None = None,
    tls_ca_file: str | None = None,
    tls_cert_file: str | None = None,
    tls_key_file: str | None = None,
    environment: str | None = None,
    release: str | None = None,
    capture_content: bool | None = None,
    request_stream_usage: bool | None = None,
    queue_max_logs: int | None = None,
    queue_max_bytes: int | None = None,
    batch_delay_s: float | None = None,
    export_timeout_s: float | None = None,
    delivery_timeout_s: float | None = None,
    exit_timeout_s: float | None = None,
    spool_dir: str | None = None,
    spool_max_bytes: int | None = None,
    redaction_disabled_kinds: Iterable[str] | None = None,
    redaction_enabled_kinds: Iterable[str] | None = None,
    redaction_patterns: Mapping[str, str] | None = None,
    exporter: Exporter | None = None,
) -> None:
    r"""Set the SDK up. An omitted setting comes from its ``LLM_OBSERVE_*`` variable, else from its default.

    Args:
        endpoint: ``host:port`` of the collector; empty sends nothing.
        api_key: Key of the project the logs belong to.
        tls: Encrypt, and check the server's certificate.
        tls_ca_file: PEM file of the authorities that may have signed it.
        tls_cert_file: PEM file of a client certificate, for mTLS.
        tls_key_file: PEM file of its key.
        environment: Name of the environment, such as ``production``.
        release: Release of the application.
        capture_content: False sends no previews and no error messages.
        request_stream_usage: Ask OpenAI for the usage chunk of streams and hide it.
        queue_max_logs: Most calls in the queue.
        queue_max_bytes: Most bytes of calls that wait or are on their way.
        batch_delay_s: How long a call may wait for others, in seconds.
        export_timeout_s: Deadline of one attempt to send, in seconds.
        delivery_timeout_s: How long a batch is retried before it is dropped, in seconds.
        exit_timeout_s: How long process exit may wait, in seconds.
        spool_dir: Folder where redacted batches wait on disk, so that they survive kill -9.
        spool_max_bytes: Most bytes that a process may leave there.
        redaction_disabled_kinds: Built-in kinds not to redact, such as ``PHONE``.
        redaction_enabled_kinds: National ids to redact, such as ``ID_BR``.
        redaction_patterns: Your own kinds: placeholder to regular expression, such as
            ``{"STAFF_ID": r"\\bE-[0-9]{6}\\b"}``. Keep them free of nested repetition.
        exporter: Receives the batches instead of the collector; no endpoint is needed. See
            :class:`llm_observe.Exporter`.

    Raises:
        ConfigError: A setting is invalid; the message names it.
    """
    overrides = {name: value for name, value in locals().items() if name != "exporter"}
    for name, kinds in (
        ("redaction_disabled_kinds", redaction_disabled_kinds),
        ("redaction_enabled_kinds", redaction_enabled_kinds),
    ):
        if kinds is not None:
            overrides[name] = kinds if isinstance(kinds, str) else ",".join(kinds)
    if redaction_patterns is not None:
        overrides["redaction_patterns"] = json.dumps(dict(redaction_patterns))
    configure_runtime(Config.from_env(**overrides), exporter)


def wrap(client: _Client, *, provider: str = "") -> _Client:
    """Record every call made through this client and return the client. Wrapping it again changes nothing.

    Supports every client of openai and anthropic, those for Azure, Bedrock and Vertex AI included, and
    ``google.genai.Client`` with its ``aio`` side, with their streams, stream helpers, raw responses and
    copies. Which of their methods are recorded is listed in the SDK's README.

    Args:
        client: The vendor's client.
        provider: Who serves its calls, such as ``groq``; by default, the base URL tells. Another name
            than before replaces it.

    Raises:
        TypeError: The client's type is not supported.
    """
    from llm_observe._wrap import wrap_client  # noqa: PLC0415 - would double the time of importing us

    return wrap_client(client, to_kept_text(provider).lower())


def unwrap(client: _Client) -> _Client:
    """Stop recording a client's calls and return the client."""
    from llm_observe._wrap import unwrap_client  # noqa: PLC0415 - as above

    return unwrap_client(client)


def instrument() -> None:
    """Record every call made through any client of the vendors that :func:`wrap` supports, in this process.

    Whoever makes the client (a framework, too), before or after; packages imported later included. Calling it
    again changes nothing, and a client that is wrapped as well makes one log a call.
    """
    from llm_observe._instrument import instrument_process  # noqa: PLC0415 - as above

    instrument_process()


def uninstrument() -> None:
    """Undo :func:`instrument`. Clients that were wrapped stay wrapped."""
    from llm_observe._instrument import uninstrument_process  # noqa: PLC0415 - as above

    uninstrument_process()


def log(
    *,
    provider: str,
    model: str,
    operation: str = "chat",
    input_text: str = "",
    output_text: str = "",
    outcome: Literal["success", "error", "cancelled"] = "success",
    start_time: datetime | None = None,
    latency_s: float | None = None,
    time_to_first_token_s: float | None = None,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    total_tokens: int | None = None,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    cache_write_1h_tokens: int | None = None,
    reasoning_tokens: int | None = None,
    audio_input_tokens: int | None = None,
    audio_output_tokens: int | None = None,
    reported_cost_nano_usd: int | None = None,
    service_tier: str = "",
    server_address: str = "",
    provider_response_id: str = "",
    retry_count: int | None = None,
    error_code: str = "",
    error_message: str | BaseException = "",
    finish_reason: str = "",
    streamed: bool = False,
    metadata: Mapping[str, str] | None = None,
    log_id: str | None = None,
) -> str:
    """Record a call that was made in some other way and return its log id.

    Values of other types are converted: an Enum to its value, a list or a mapping to JSON, an exception to
    its text. A value that cannot be converted leaves its field unknown.

    Args:
        provider: Name of the provider, in lower case.
        model: Name of the requested model.
        operation: Name of the operation in OpenTelemetry GenAI.
        input_text: Prompt; redacted and cut to a preview before it is sent.
        output_text: Answer; likewise.
        outcome: How the call ended.
        start_time: When the call began, timezone-aware; by default latency_s before now.
        latency_s: Duration of the call, in seconds.
        time_to_first_token_s: Time until the first token, in seconds.
        input_tokens: Input tokens, cached ones included; None when unknown.
        output_tokens: Output tokens, reasoning included; None when unknown.
        total_tokens: By default the sum of both, if both are known.
        cache_read_tokens: The input tokens that were read from a cache; None when unknown, as with all that
            follow.
        cache_write_tokens: The input tokens that were written to a cache.
        cache_write_1h_tokens: Those of them that the provider keeps for an hour.
        reasoning_tokens: The output tokens that were spent on reasoning.
        audio_input_tokens: The input tokens that were audio.
        audio_output_tokens: The output tokens that were audio.
        reported_cost_nano_usd: Price that the provider or a gateway reported, in 10^-9 US dollars.
        service_tier: The provider's processing tier, such as ``batch`` or ``flex``.
        server_address: Host name of the provider's endpoint.
        provider_response_id: The provider's id of its answer.
        retry_count: How many attempts came before this one.
        error_code: Code of the error.
        error_message: Text of the error, or the exception; redacted. Sent only with capture_content.
        finish_reason: Why the model stopped.
        streamed: Whether the answer was streamed.
        metadata: Free-form pairs; the values are redacted.
        log_id: A UUID; logging the same one again replaces the earlier log. By default, or if it is not a
            UUID, a new one.

    Raises:
        ValueError: outcome is not one of the three values.
    """
    number = _OUTCOMES.get(to_text(outcome))
    if number is None:
        raise ValueError("outcome must be 'success', 'error' or 'cancelled'")
    call = Call(to_kept_text(provider), to_kept_text(operation), model, submit)
    call.outcome = number
    call.log_id = to_uuid(log_id) or uuid7()
    call.input_text = (to_content(input_text)[:KEPT_TEXT_CHARS],)
    call.output_chunks = [to_content(output_text)[:KEPT_TEXT_CHARS]]
    _note(
        call,
        to_count,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=total_tokens,
        cache_read_tokens=cache_read_tokens,
        cache_write_tokens=cache_write_tokens,
        cache_write_1h_tokens=cache_write_1h_tokens,
        reasoning_tokens=reasoning_tokens,
        audio_input_tokens=audio_input_tokens,
        audio_output_tokens=audio_output_tokens,
        reported_cost_nano_usd=reported_cost_nano_usd,
    )
    if call.total_tokens is None and call.input_tokens is not None and call.output_tokens is not None:
        call.total_tokens = call.input_tokens + call.output_tokens
    call.retry_count = to_retry_count(retry_count)
    _note(
        call,
        to_kept_text,
        service_tier=service_tier,
        server_address=server_address,
        provider_response_id=provider_response_id,
        finish_reason=finish_reason,
        error_code=error_code,
        error_message=error_message,
    )
    # Asked of the type: isinstance() of an unbound proxy raises.
    if not call.error_code and issubclass(type(error_message), BaseException):
        call.error_code = code_by_class(error_message)
    call.streamed = to_flag(streamed)
    call.metadata = to_pairs(metadata)
    call.latency_ns = to_duration_ns(latency_s)
    call.ttft_ns = to_duration_ns(time_to_first_token_s)
    start_ns = to_time_ns(start_time)
    call.start_ns = time.time_ns() - (call.latency_ns or 0) if start_ns is None else start_ns
    submit(call)
    return call.log_id


def _note(call: Call, convert: Callable[[object], object], **values: object) -> None:
    """Set attributes of a call to values of any type, converted. One that is unknown takes no memory."""
    for name, value in values.items():
        converted = convert(value)
        if converted is not None and converted != "":
            setattr(call, name, converted)


def flush(timeout: float = 5.0) -> FlushResult:
    """Wait until every log before this call is sent or dropped, at most ``timeout`` seconds."""
    return get_runtime().flush(timeout)


def shutdown(timeout: float | None = None) -> FlushResult:
    """Flush within ``timeout`` seconds (default: exit_timeout_s) and stop; later calls are not recorded."""
    runtime = get_runtime()
    return runtime.shutdown(runtime.config.exit_timeout_s if timeout is None else timeout)
