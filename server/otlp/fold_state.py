"""What was seen of traces lately, in Redis, so that spans are folded across requests and replicas.

One script stores the spans of a request and returns all that is known of their traces, in one step: of two
requests, one sees the other. Redis' clock orders what they make of it. What is kept is short-lived. If it is
lost, a call whose views come later is stored once more; nothing is lost.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from llm_observe.v1.log_pb2 import Log

from codec.otlp.folding import MIN_RESPONSE_ID_CHARS, Kind, Node
from server.rpc.errors import QueueIsUnavailable
from worker.queue.outages import REDIS_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from codec.otlp.folding import Key
    from worker.queue.broker import LogBroker

_TTL_S: Final = 900
"""How long a trace is remembered after its last span, in seconds."""
_MAX_NODES: Final = 5_000
"""Spans of a trace that are remembered; those beyond are folded within their request."""
_MAX_TIED: Final = 64
"""Traces that may share a response's id, or all else: of more it tells nothing. Test servers repeat ids."""
_TIE_S: Final = 4
"""Calls that are alike are tied if they end within so many seconds."""
_STORE: Final = """
local prefix, ttl, most, shared = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local order = redis.call('INCR', prefix .. 'order')
local traces, seen = {}, {}
local function note(trace)
    if not seen[trace] then
        seen[trace] = true
        traces[#traces + 1] = trace
    end
end
for at = 5, #ARGV, 5 do
    local trace, span, node, view, ties = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    local nodes = prefix .. 'trace:' .. trace
    local known = redis.call('HGET', nodes, span)
    if known or redis.call('HLEN', nodes) < most then
        local first = known and string.match(known, '^%d+') or order
        redis.call('HSET', nodes, span, first .. node)
        if view ~= '' then redis.call('HSET', prefix .. 'views:' .. trace, span, view) end
        for tie in string.gmatch(ties, '%S+') do
            local tied = prefix .. 'tie:' .. tie
            if redis.call('SCARD', tied) < shared then redis.call('SADD', tied, trace) end
        end
    end
    note(trace)
end
for at = 5, #ARGV, 5 do
    for tie in string.gmatch(ARGV[at + 4], '%S+') do
        local tied = prefix .. 'tie:' .. tie
        redis.call('EXPIRE', tied, ttl)
        if redis.call('SCARD', tied) < shared then
            for _, trace in ipairs(redis.call('SMEMBERS', tied)) do note(trace) end
        end
    end
end
local now = redis.call('TIME')
local found = {order, now[1] * 1000000 + now[2]}
for _, trace in ipairs(traces) do
    redis.call('EXPIRE', prefix .. 'trace:' .. trace, ttl)
    redis.call('EXPIRE', prefix .. 'views:' .. trace, ttl)
    found[#found + 1] = trace
    found[#found + 1] = redis.call('HGETALL', prefix .. 'trace:' .. trace)
end
return found
"""
"""Stores spans.

Arguments: prefix, seconds, most spans of a trace, most traces that are tied; then of each span its trace, its
id, its node, its view, and what ties it to other traces, words with spaces between. Returns the order of this
request, microseconds since 1970, and each trace's id and nodes.
"""


class Seen(Protocol):
    """A span or a log record, as far as it is remembered."""

    @property
    def node(self) -> Node:
        """Its place among others."""

    @property
    def view(self) -> Log | None:
        """What it tells of a call."""


class KnownTraces(NamedTuple):
    """What is known of the traces of a request, the request included."""

    order: int
    """Spans that were seen before have a smaller one."""
    receive_time_us: int
    """When this was so, in microseconds since 1970: what is made of it replaces what was made of less."""
    nodes: dict[Key, Node]


class FoldState:
    """Remembers traces."""

    def __init__(self, broker: LogBroker, ttl_s: int = _TTL_S) -> None:
        self._redis = broker.redis
        self._prefix = f"{broker.queue_name}:otlp:"
        self._store: Any = broker.redis.register_script(_STORE)
        self._ttl_s = ttl_s

    async def add(self, project_id: str, seen: Iterable[Seen]) -> KnownTraces:
        """Remember spans; return what is known of their traces, and of those that share a response.

        Raises:
            QueueIsUnavailable: Redis did not answer, or has no room.
        """
        arguments: list[str | bytes | int] = [self._prefix_of(project_id), self._ttl_s, _MAX_NODES, _MAX_TIED]
        for each in seen:
            node = each.node
            view = each.view.SerializeToString() if each.view is not None else b""
            arguments += (node.trace_id, node.span_id, _pack(node), view, " ".join(_ties_of(node)))
        try:
            order, receive_time_us, *traces = await self._store(keys=(), args=arguments)
        except REDIS_ERRORS:
            raise QueueIsUnavailable from None
        nodes = [
            _unpack(trace_id.decode(), span_id.decode(), packed)
            for trace_id, fields in zip(traces[::2], traces[1::2], strict=True)
            for span_id, packed in zip(fields[::2], fields[1::2], strict=True)
        ]
        return KnownTraces(order, int(receive_time_us), {node.key: node for node in nodes})

    async def views(self, project_id: str, keys: Sequence[Key]) -> dict[Key, Log]:
        """Return what spans that were remembered tell of their calls.

        Raises:
            QueueIsUnavailable: Redis did not answer.
        """
        by_trace: dict[str, list[str]] = defaultdict(list)
        for trace_id, span_id in keys:
            by_trace[trace_id].append(span_id)
        prefix = self._prefix_of(project_id)
        try:
            async with self._redis.pipeline(transaction=False) as reading:
                for trace_id, span_ids in by_trace.items():
                    reading.hmget(f"{prefix}views:{trace_id}", span_ids)
                found = await reading.execute()
        except REDIS_ERRORS:
            raise QueueIsUnavailable from None
        return {
            (trace_id, span_id): Log.FromString(view)
            for (trace_id, span_ids), views in zip(by_trace.items(), found, strict=True)
            for span_id, view in zip(span_ids, views, strict=True)
            if view
        }

    def _prefix_of(self, project_id: str) -> str:
        return f"{self._prefix}{project_id}:"


def _ties_of(node: Node) -> Iterator[str]:
    """Yield what a call may share with views of it in other traces."""
    if len(node.response_id) >= MIN_RESPONSE_ID_CHARS:
        yield hashlib.blake2b(node.response_id.encode(), digest_size=16).hexdigest()
    if node.likeness:
        slot = node.end_ns // 1_000_000_000 // _TIE_S
        yield from (f"{node.likeness}:{slot}", f"{node.likeness}:{slot + 1}")


def _pack(node: Node) -> str:
    """Return a node as it is kept, behind the number of its order."""
    return json.dumps(
        [
            node.parent_span_id,
            node.kind.value,
            node.operation,
            node.start_ns,
            node.end_ns,
            node.response_id,
            node.scope,
            node.likeness,
            node.has_context,
        ],
        separators=(",", ":"),
    )


def _unpack(trace_id: str, span_id: str, packed: bytes) -> Node:
    order, bracket, rest = packed.partition(b"[")
    parent, kind, operation, start_ns, end_ns, response_id, scope, likeness, has_context = json.loads(
        bracket + rest
    )
    return Node(
        trace_id,
        span_id,
        parent,
        Kind(kind),
        operation,
        start_ns,
        end_ns,
        response_id,
        scope,
        likeness,
        has_context,
        int(order),
    )
