"""ExportService: exports of finished hours, queued in Postgres for the workers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from llm_observe.ids import uuid7
from llm_observe.v1 import export_service_pb2 as pb
from llm_observe.v1.export_service_pb2_grpc import ExportServiceServicer

from analytics.windows import HOUR, Window, ceil, floor
from server.exports.convert import to_export
from server.exports.errors import ExportAlreadyRunning, ExportNotFound, LakeNotConfigured
from server.rpc.auth import caller
from server.rpc.checks import parse_limit, parse_uuid, parse_words
from server.rpc.errors import InvalidField
from server.rpc.idempotency import fingerprint_of
from server.rpc.paging import Page, read_cursor
from server.rpc.times import parse_window
from storage import exports

if TYPE_CHECKING:
    from analytics.lake.settings import LakeSettings
    from server.rpc.context import Context
    from server.rpc.idempotency import IdempotencyKeys
    from storage.pool import Database

_PAGE_SIZE: Final = 50
_MAX_PAGE_SIZE: Final = 1000


class ExportService(ExportServiceServicer):
    """See export_service.proto."""

    def __init__(self, database: Database, keys: IdempotencyKeys, lake: LakeSettings) -> None:
        self._database = database
        self._keys = keys
        self._lake = lake

    async def CreateExport(
        self, request: pb.CreateExportRequest, context: Context
    ) -> pb.CreateExportResponse:
        if not self._lake.url:
            raise LakeNotConfigured
        window = self._parse_window(request)
        export_id = await self._claim_id(request)
        project_id = caller().project_id
        export = await exports.get_export(self._database, project_id=project_id, export_id=export_id)
        if export is None:
            export = await exports.add_export(
                self._database,
                export_id=export_id,
                project_id=project_id,
                start_time=window.start,
                end_time=window.end,
                checks_files=True,
                verifies_files=request.verify,
            )
        if export is None:
            unfinished = await exports.find_unfinished_export(self._database, project_id)
            raise ExportAlreadyRunning(str(unfinished or ""))
        return pb.CreateExportResponse(export=to_export(export))

    async def GetExport(self, request: pb.GetExportRequest, context: Context) -> pb.GetExportResponse:
        return pb.GetExportResponse(export=await self._get(request.export_id))

    async def ListExports(self, request: pb.ListExportsRequest, context: Context) -> pb.ListExportsResponse:
        size = parse_limit("page_size", request.page_size, default=_PAGE_SIZE, maximum=_MAX_PAGE_SIZE)
        cursor = read_cursor(request, request.page_token, UUID)
        rows = await exports.list_exports(
            self._database,
            project_id=caller().project_id,
            states=parse_words("states", request.states, pb.ExportState) or None,
            before_id=cursor[0] if cursor else None,
            row_limit=size + 1,
        )
        page = Page.of(rows, size, request, lambda row: (row.export_id,))
        return pb.ListExportsResponse(
            exports=[to_export(row) for row in page.rows], next_page_token=page.next_page_token
        )

    async def CancelExport(
        self, request: pb.CancelExportRequest, context: Context
    ) -> pb.CancelExportResponse:
        export_id = parse_uuid("export_id", request.export_id)
        await exports.cancel_export(self._database, project_id=caller().project_id, export_id=export_id)
        return pb.CancelExportResponse(export=await self._get(request.export_id))

    async def _get(self, export_id: str) -> pb.Export:
        found = await exports.get_export(
            self._database,
            project_id=caller().project_id,
            export_id=parse_uuid("export_id", export_id),
        )
        if found is None:
            raise ExportNotFound(export_id)
        return to_export(found)

    def _parse_window(self, request: pb.CreateExportRequest) -> Window:
        """Return the whole hours of the requested window that are over.

        Raises:
            InvalidField: There are none.
        """
        if not request.HasField("time_range"):
            raise InvalidField([("time_range", "must be set")])
        asked = parse_window(request.time_range)
        window = Window(floor(asked.start, HOUR), ceil(asked.end, HOUR))
        end = min(window.end, self._lake.last_end(datetime.now(UTC)))
        if window.start >= end:
            raise InvalidField([("time_range", "must contain an hour that ended long enough ago")])
        return Window(window.start, end)

    async def _claim_id(self, request: pb.CreateExportRequest) -> UUID:
        """Return the id of the export that a request makes, the same whenever it is repeated."""
        export_id = UUID(uuid7())
        if not request.request_id:
            return export_id
        request_id = parse_uuid("request_id", request.request_id)
        answer = {"export_id": str(export_id)}
        earlier = await self._keys.claim(request_id, fingerprint_of(request, "request_id"), answer)
        return export_id if earlier is None else UUID(earlier.answer["export_id"])
