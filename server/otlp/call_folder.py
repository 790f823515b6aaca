"""Folds what spans and log records tell of calls with what is known, and queues the logs that change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from llm_observe.limits import MAX_BATCH_LOGS
from llm_observe.v1.ingest_service_pb2 import IngestLogsRequest

from codec.otlp.folding import changed_groups
from codec.otlp.merging import merge_views
from telemetry import metrics, tracing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from llm_observe.v1.log_pb2 import Log

    from codec.otlp.folding import Group, Key, Node
    from server.otlp.fold_state import FoldState, KnownTraces, Seen

_FOLDED: Final = metrics.OTLP_ITEMS.child("span", "folded")


class LogSink(Protocol):
    """What takes a project's logs."""

    async def __call__(
        self, payload: bytes, project_id: str, traceparents: str, receive_time_us: int
    ) -> object:
        """Put the logs of a serialized IngestLogsRequest into the queue; when it returns, Redis has them.

        What has a later receive_time_us replaces what has an earlier one.

        Raises:
            ApiError: It did not take them, or the request is wrong.
        """


class Folded(NamedTuple):
    """What became of spans."""

    log_ids: dict[Key, str]
    """Of those that show a call: its log."""
    receive_time_us: int
    """When this was so, in microseconds since 1970."""


class CallFolder:
    """Folds calls.

    Args:
        accept_logs: Takes their logs.
        state: Remembers what was seen.
    """

    def __init__(self, accept_logs: LogSink, state: FoldState) -> None:
        self._accept_logs = accept_logs
        self._state = state

    async def fold(self, project_id: str, seen: Mapping[Key, Seen]) -> Folded:
        """Queue the logs that new spans or log records change; when this returns, Redis has them.

        Raises:
            QueueIsUnavailable: Redis did not take them in time.
            ServerIsBusy: Too much waits in this process already.
        """
        known = await self._state.add(project_id, seen.values())
        groups = changed_groups(known.nodes | _not_remembered(seen, known), set(seen), known.order)
        views = {key: each.view for key, each in seen.items() if each.view is not None}
        missing = [key for group in groups for key in group.spans if key not in seen]
        if missing:
            views |= await self._state.views(project_id, missing)
        logs = [log for group in groups if (log := _log_of(group, views)) is not None]
        await self._queue(logs, project_id, known.receive_time_us)
        log_ids = {key: group.log_id for group in groups for key in group.members}
        return Folded(log_ids, known.receive_time_us)

    async def _queue(self, logs: Sequence[Log], project_id: str, receive_time_us: int) -> None:
        for start in range(0, len(logs), MAX_BATCH_LOGS):
            payload = IngestLogsRequest(logs=logs[start : start + MAX_BATCH_LOGS]).SerializeToString()
            await self._accept_logs(payload, project_id, tracing.current_traceparent(), receive_time_us)


def _not_remembered(seen: Mapping[Key, Seen], known: KnownTraces) -> dict[Key, Node]:
    """Return the spans that were too many to be remembered: they are folded among themselves."""
    return {
        key: each.node._replace(order=known.order) for key, each in seen.items() if key not in known.nodes
    }


def _log_of(group: Group, views: Mapping[Key, Log]) -> Log | None:
    """Return the log of a call; None where what was remembered of it is gone."""
    told = [views[key] for key in group.members if key in views]
    if not told or not told[0].HasField("start_time"):  # log records alone make no log
        return None
    _FOLDED.record(sum(view.HasField("start_time") for view in told) - 1)
    return merge_views(group.log_id, told, [views[key] for key in group.contexts if key in views])
