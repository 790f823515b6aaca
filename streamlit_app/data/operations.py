"""Reads and writes what operators see: dead letters, the queue, API keys, exports.

Every function waits for its answer and raises ServerError if the call fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import export_service_pb2 as export
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.export_service_pb2_grpc import ExportServiceStub

from streamlit_app.data.connection import channel, server_errors, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from llm_observe.v1.filter_pb2 import TimeRange

_PAGE: Final = 1000
_MAX_PAGES: Final = 3
MAX_IDS: Final = 1000
"""Dead letters that one request may name."""
_CHANGE_TIMEOUT_S: Final = 600.0
"""Longest that replaying or discarding may take: a page shows their progress meanwhile."""


class DeadLetters(NamedTuple):
    """Dead letters, newest first, without payloads."""

    letters: Sequence[admin.DeadLetter] = ()
    is_whole: bool = True
    """False if there were more than were read."""


def get_queue_stats() -> admin.GetQueueStatsResponse:
    """Return the state of the queue."""
    with server_errors():
        return _admin().GetQueueStats(admin.GetQueueStatsRequest(), timeout=settings().timeout_s)


# -- dead letters ------------------------------------------------------------------------------------------


def list_dead_letters(state: admin.DeadLetterState.ValueType) -> DeadLetters:
    """Return the dead letters in a state, newest first."""
    request = admin.ListDeadLettersRequest(filter=admin.DeadLetterFilter(states=[state]), page_size=_PAGE)
    found: list[admin.DeadLetter] = []
    for _ in range(_MAX_PAGES):
        with server_errors():
            answer = _admin().ListDeadLetters(request, timeout=settings().timeout_s)
        found += answer.dead_letters
        if not answer.next_page_token:
            return DeadLetters(found)
        request.page_token = answer.next_page_token
    return DeadLetters(found, is_whole=False)


def get_dead_letter(dead_letter_id: str) -> admin.DeadLetter:
    """Return a dead letter with its redacted payload."""
    request = admin.GetDeadLetterRequest(dead_letter_id=dead_letter_id)
    with server_errors():
        return _admin().GetDeadLetter(request, timeout=settings().timeout_s).dead_letter


def replay_dead_letters(dead_letter_ids: Sequence[str]) -> Iterator[int]:
    """Queue dead letters again; yield how many of them have been so far."""
    done = 0
    for part in _parts(dead_letter_ids):
        request = admin.ReplayDeadLettersRequest(filter=admin.DeadLetterFilter(dead_letter_ids=part))
        replayed = 0
        with server_errors():
            for progress in _admin().ReplayDeadLetters(request, timeout=_CHANGE_TIMEOUT_S):
                replayed = progress.replayed_count
                yield done + replayed
        done += replayed


def discard_dead_letters(dead_letter_ids: Sequence[str]) -> Iterator[int]:
    """Discard dead letters; yield how many of them have been so far."""
    done = 0
    for part in _parts(dead_letter_ids):
        request = admin.DiscardDeadLettersRequest(filter=admin.DeadLetterFilter(dead_letter_ids=part))
        with server_errors():
            done += _admin().DiscardDeadLetters(request, timeout=_CHANGE_TIMEOUT_S).discarded_count
        yield done


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), MAX_IDS):
        yield ids[start : start + MAX_IDS]


# -- API keys ----------------------------------------------------------------------------------------------


def list_api_keys(project_id: str) -> list[admin.ApiKey]:
    """Return the keys of a project, newest first."""
    request = admin.ListApiKeysRequest(project_id=project_id)
    with server_errors():
        return list(_admin().ListApiKeys(request, timeout=settings().timeout_s).api_keys)


def create_api_key(
    project_id: str, name: str, roles: Sequence[admin.ApiKeyRole.ValueType], expire_time: datetime | None
) -> str:
    """Create a key; return its secret, which cannot be read again."""
    request = admin.CreateApiKeyRequest(project_id=project_id, display_name=name, roles=roles)
    if expire_time:
        request.expire_time.FromDatetime(expire_time)
    with server_errors():
        return _admin().CreateApiKey(request, timeout=settings().timeout_s).secret


def revoke_api_key(api_key_id: str) -> None:
    """Revoke a key."""
    with server_errors():
        _admin().RevokeApiKey(admin.RevokeApiKeyRequest(api_key_id=api_key_id), timeout=settings().timeout_s)


# -- exports -----------------------------------------------------------------------------------------------


def list_exports(limit: int) -> list[export.Export]:
    """Return the latest exports."""
    with server_errors():
        answer = _exports().ListExports(
            export.ListExportsRequest(page_size=limit), timeout=settings().timeout_s
        )
    return list(answer.exports)


def create_export(time_range: TimeRange, request_id: str, *, verify: bool) -> None:
    """Queue an export of a window's finished hours; repeating it with the same ``request_id`` is safe."""
    request = export.CreateExportRequest(time_range=time_range, request_id=request_id, verify=verify)
    with server_errors():
        _exports().CreateExport(request, timeout=settings().timeout_s)


def cancel_export(export_id: str) -> None:
    """Stop an export."""
    with server_errors():
        _exports().CancelExport(export.CancelExportRequest(export_id=export_id), timeout=settings().timeout_s)


def _admin() -> AdminServiceStub:
    return AdminServiceStub(channel())


def _exports() -> ExportServiceStub:
    return ExportServiceStub(channel())
