"""Finds the spans that show one call: a framework reports it, and the client below, maybe in another trace.

What is found is a function of the set of spans alone, so that their order, and their split into requests,
changes nothing but the id of the log: that is of the span that was seen first.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

_NAMESPACE: Final = uuid.UUID("6f2d5b0e-7f0c-5c57-9c0a-1d9b4a1e7c10")
MIN_RESPONSE_ID_CHARS: Final = 16
"""Shorter ids of responses are not unique: some servers count to 999."""
_MAX_STEPS: Final = 64
"""How far up an ancestor is looked for."""
_TOLERANCE_NS: Final = 1_000_000_000
"""How far apart two views of one call may lie: some emitters make their spans after the fact."""
_NESTED_WITHIN_NS: Final = 5_000_000
"""How far the inner of two views may reach beyond the outer: clocks are read one after the other."""
_COMPLETIONS: Final = {"chat", "text_completion"}

Key: TypeAlias = "tuple[str, str]"
"""A span: its trace's id and its own."""


class Kind(Enum):
    """What a span is to the calls below it."""

    CALL = "call"
    BOUNDARY = "boundary"
    """Calls below it are its own, not views of a call above: an agent, a tool."""
    STEP = "step"
    EVENT = "event"
    """A log record that tells of a call."""


class Node(NamedTuple):
    """A span, as far as folding looks at it."""

    trace_id: str
    span_id: str
    parent_span_id: str
    kind: Kind
    operation: str
    start_ns: int
    end_ns: int
    response_id: str = ""
    scope: str = ""
    """The instrumentation that made it; of calls only."""
    likeness: str = ""
    """The same for calls of one process that say the same of everything; empty where that is too little."""
    has_context: bool = False
    """Whether it names a session, a user or tags, which the calls below it share."""
    order: int = 0
    """When it was seen first; spans of one request have the same."""

    @property
    def key(self) -> Key:
        """The span's trace and id."""
        return self.trace_id, self.span_id

    @property
    def parent_key(self) -> Key:
        """Its parent's."""
        return self.trace_id, self.parent_span_id


class Group(NamedTuple):
    """The spans that show one call."""

    log_id: str
    members: tuple[Key, ...]
    """The one that gives identity and times first, then those around it, then log records."""
    contexts: tuple[Key, ...]
    """The spans whose session, user and tags the call shares, the nearest first."""

    @property
    def spans(self) -> tuple[Key, ...]:
        """All spans that say something of the call."""
        return self.members + self.contexts


def log_id_of(key: Key) -> str:
    """Return the id of the log of a span: the same whenever, and to whomever, the span is sent."""
    return str(uuid.uuid5(_NAMESPACE, "".join(key)))


def fold(nodes: Mapping[Key, Node]) -> list[Group]:
    """Return the calls among spans."""
    outer = {node.key: _outer_call(node, nodes) for node in nodes.values() if node.kind is Kind.CALL}
    same = _Sets(outer)
    for key, inner in _folded_outers(outer, nodes):
        same.join(key, inner)
    for first, second in _same_responses([nodes[key] for key in outer]):
        same.join(first, second)
    alone = [nodes[members[0]] for members in same.groups() if len(members) == 1]
    for first, second in _alike(alone):
        same.join(first, second)
    events = _events_of_calls(nodes)
    outers = set(outer.values()) - {None}
    return [
        _group(
            [nodes[key] for key in members],
            outers,
            nodes,
            sorted({e for key in members for e in events[key]}),
        )
        for members in same.groups()
    ]


def changed_groups(nodes: Mapping[Key, Node], added: AbstractSet[Key], order: int) -> list[Group]:
    """Return the calls of which something is new.

    Args:
        nodes: All spans.
        added: The spans that came now, some of them maybe once more.
        order: Theirs, where they are new.
    """
    earlier = {key: node for key, node in nodes.items() if node.order < order}
    known = set(fold(earlier)) if earlier else set()
    return [group for group in fold(nodes) if group not in known or not added.isdisjoint(group.spans)]


def _events_of_calls(nodes: Mapping[Key, Node]) -> dict[Key, list[Key]]:
    """Return the events of each call: those that name its span, and those that name its response."""
    events: dict[Key, list[Key]] = defaultdict(list)
    pending: dict[str, list[Key]] = defaultdict(list)
    for node in nodes.values():
        if node.kind is Kind.EVENT:
            parent = nodes.get(node.parent_key)
            if parent is not None and parent.kind is Kind.CALL:
                events[parent.key].append(node.key)
            elif node.response_id:
                pending[node.response_id].append(node.key)
    if pending:
        for node in nodes.values():
            if node.kind is Kind.CALL and node.response_id in pending:
                events[node.key] += pending[node.response_id]
    return events


def _outer_call(node: Node, nodes: Mapping[Key, Node]) -> Key | None:
    """Return the call that this one may be inside of: the nearest above without an agent or tool between."""
    for ancestor in _ancestors(node, nodes):
        if ancestor.kind is Kind.CALL:
            return ancestor.key if _same_operation(node, ancestor) else None
        if ancestor.kind is Kind.BOUNDARY:
            return None
    return None


def _same_operation(one: Node, other: Node) -> bool:
    return one.operation == other.operation or {one.operation, other.operation} <= _COMPLETIONS


def _ancestors(node: Node, nodes: Mapping[Key, Node]) -> Iterator[Node]:
    for _ in range(_MAX_STEPS):
        parent = nodes.get(node.parent_key)
        if parent is None or parent.key == node.key:
            return
        yield parent
        node = parent


def _folded_outers(outer: Mapping[Key, Key | None], nodes: Mapping[Key, Node]) -> Iterator[tuple[Key, Key]]:
    """Yield each call that has calls inside, and the one of them that it shows: of its attempts the last."""
    insides: dict[Key, list[Node]] = defaultdict(list)
    for key, around in outer.items():
        if around is not None:
            insides[around].append(nodes[key])
    for key, inner in insides.items():
        response_id = nodes[key].response_id
        shown = [node for node in inner if node.response_id and node.response_id == response_id] or inner
        yield key, max(shown, key=lambda node: (node.end_ns, node.start_ns, node.span_id)).key


def _same_responses(calls: Sequence[Node]) -> Iterator[tuple[Key, Key]]:
    """Yield calls that have one response at one time."""
    by_response: dict[str, list[Node]] = defaultdict(list)
    for call in calls:
        if len(call.response_id) >= MIN_RESPONSE_ID_CHARS:
            by_response[call.response_id].append(call)
    for views in by_response.values():
        views.sort(key=lambda node: (node.start_ns, node.key))
        for earlier, later in pairwise(views):
            if later.start_ns <= earlier.end_ns + _TOLERANCE_NS:
                yield earlier.key, later.key


def _alike(calls: Sequence[Node]) -> Iterator[tuple[Key, Key]]:
    """Yield calls that nothing ties but all that they say: a framework's, and the client's within it.

    Each is in one pair only, so that of several equal calls as many stay as there are.
    """
    by_likeness: dict[tuple[str, Key], list[Node]] = defaultdict(list)
    for call in calls:
        if call.likeness:
            # Both stand at one place: without a parent, or below the same.
            by_likeness[call.likeness, call.parent_key if call.parent_span_id else ("", "")].append(call)
    for views in by_likeness.values():
        left = sorted(views, key=lambda node: (node.end_ns - node.start_ns, node.start_ns, node.key))
        while left:
            inner = left.pop(0)
            outer = next((node for node in left if _is_within(inner, node)), None)
            if outer is not None:
                left.remove(outer)
                yield inner.key, outer.key


def _is_within(inner: Node, outer: Node) -> bool:
    has_ids = min(len(inner.response_id), len(outer.response_id)) >= MIN_RESPONSE_ID_CHARS
    return (
        not has_ids
        and inner.scope != outer.scope
        and inner.start_ns >= outer.start_ns
        and inner.end_ns <= outer.end_ns + _NESTED_WITHIN_NS
    )


def _group(
    members: list[Node], outers: set[Key | None], nodes: Mapping[Key, Node], events: list[Key]
) -> Group:
    ordered = sorted(members, key=lambda node: _inwardness(node, outers))
    first_seen = min(member.order for member in members)
    head = next(member for member in ordered if member.order == first_seen)
    own = {member.key for member in members}
    contexts = dict.fromkeys(
        ancestor.key
        for member in ordered
        for ancestor in _ancestors(member, nodes)
        if ancestor.has_context and ancestor.key not in own
    )
    views = (*(member.key for member in ordered), *events)
    return Group(log_id_of(head.key), views, tuple(contexts))


def _inwardness(node: Node, outers: set[Key | None]) -> tuple[bool, int, int, Key]:
    """Order views of one call from the innermost to the outermost: the client's is the shortest."""
    return node.key in outers, node.end_ns - node.start_ns, -node.start_ns, node.key


class _Sets:
    """Disjoint sets of spans."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._parent = {key: key for key in keys}

    def join(self, one: Key, other: Key) -> None:
        """Put two sets together."""
        self._parent[self._root(one)] = self._root(other)

    def groups(self) -> list[list[Key]]:
        """Return all sets."""
        found: dict[Key, list[Key]] = defaultdict(list)
        for key in self._parent:
            found[self._root(key)].append(key)
        return list(found.values())

    def _root(self, key: Key) -> Key:
        while self._parent[key] != key:
            self._parent[key] = self._parent[self._parent[key]]
            key = self._parent[key]
        return key
