"""The server says which releases began in a window, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import grpc
import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub

from codec.rows import to_row
from tests.support.logs import make_log
from tests.support.packing import insert
from tests.support.prices import BOOK
from tests.support.rpc import info_of, stub

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
START = NOW - timedelta(hours=1)


@pytest.fixture
def analytics(channel):
    return stub(AnalyticsServiceStub, channel)


def row_of(time: datetime, release: str, environment: str):
    log = make_log(release=release, environment=environment)
    log.start_time.FromDatetime(time)
    log.end_time.FromDatetime(time + timedelta(seconds=1))
    return to_row(log, project_id="default", receive_time=NOW, prices=BOOK)


def request_of(**fields):
    request = pb.ListReleasesRequest(**fields)
    request.time_range.start_time.FromDatetime(START)
    request.time_range.end_time.FromDatetime(NOW)
    return request


async def add_releases(database, *, count: int) -> dict[str, datetime]:
    """Have one release after another, ten calls each, the first of them before the window."""
    length = timedelta(hours=1) / count
    first_times = {f"v{number:02}": START + length * (number - 1) for number in range(count)}
    rows = [
        row_of(time + length * number / 10, release, "production")
        for release, time in first_times.items()
        for number in range(10)
    ]
    # For ten minutes many of another environment, so that parts have more than is read.
    rows += [row_of(START + timedelta(seconds=second), "staged", "staging") for second in range(600)]
    await insert(database, rows)
    return {release: time for release, time in first_times.items() if time >= START}


async def test_the_latest_releases_are_named(analytics, database):
    first_times = await add_releases(database, count=40)
    found = await analytics.ListReleases(request_of(environments=["production"], limit=2**31 - 1))
    names = sorted(first_times, reverse=True)
    assert [release.name for release in found.releases] == names[:30]
    assert [release.first_time.ToDatetime(UTC) for release in found.releases] == [
        first_times[name] for name in names[:30]
    ]
    assert found.truncated
    assert found.sampled
    few = await analytics.ListReleases(request_of(environments=["production"], limit=2))
    assert list(few.releases) == list(found.releases)[:2]
    staged = await analytics.ListReleases(request_of(environments=["staging"]))
    assert not staged.releases


@pytest.mark.parametrize(
    ("field", "request_"),
    [
        ("environments", pb.ListReleasesRequest(environments=["x"] * 51)),
        ("limit", pb.ListReleasesRequest(limit=-1)),
    ],
)
async def test_what_is_wrong_with_a_request_is_said(analytics, field, request_):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.ListReleases(request_)
    reason, _, fields = info_of(caught.value)
    assert (reason, fields) == ("INVALID_FIELD", [field])
