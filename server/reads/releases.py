"""The part of AnalyticsService that tells what was deployed, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llm_observe.v1 import analytics_service_pb2 as pb

from analytics.releases import list_new_releases
from server.reads.turns import in_turn
from server.rpc.auth import caller
from server.rpc.checks import parse_limit
from server.rpc.filters import filter_values
from server.rpc.times import parse_window, to_timestamp

if TYPE_CHECKING:
    from server.reads.turns import ReadTurns
    from server.rpc.context import Context
    from storage.pool import Database

_DEFAULT_RELEASES: Final = 20
_MAX_RELEASES: Final = 30


class ReleaseReads:
    """Releases, read from a sample of the logs."""

    def __init__(self, database: Database, turns: ReadTurns) -> None:
        self._database = database
        self.turns = turns

    @in_turn
    async def ListReleases(
        self, request: pb.ListReleasesRequest, context: Context
    ) -> pb.ListReleasesResponse:
        found = await list_new_releases(
            self._database,
            caller().project_id,
            filter_values("environments", request.environments),
            parse_window(request.time_range),
            parse_limit("limit", request.limit, default=_DEFAULT_RELEASES, maximum=_MAX_RELEASES),
        )
        return pb.ListReleasesResponse(
            releases=[
                pb.Release(name=release.name, first_time=to_timestamp(release.first_time))
                for release in found.releases
            ],
            truncated=found.truncated,
            sampled=found.sampled,
        )
