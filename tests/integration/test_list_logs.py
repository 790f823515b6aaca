"""Pages of logs: both ways, bounded in time and bytes, each log once whatever is stored meanwhile."""

from __future__ import annotations

import itertools
import random
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1.analytics_service_pb2_grpc import AnalyticsServiceStub
from llm_observe.v1.filter_pb2 import LogFilter, MetricFilter
from llm_observe.v1.log_pb2 import OUTCOME_ERROR

from codec.rows import to_row
from server.reads import log_pages, log_search
from server.reads.log_filter import LogMatcher, parse_log_filter
from server.reads.log_pages import LogPage, list_page
from tests.support.logs import make_log
from tests.support.packing import insert
from tests.support.prices import BOOK
from tests.support.random_logs import random_filter, random_log
from tests.support.rpc import info_of, stub

NOW = datetime.now(UTC).replace(microsecond=0)
START = NOW - timedelta(minutes=30)


@pytest.fixture
def analytics(channel):
    return stub(AnalyticsServiceStub, channel)


@pytest.fixture
def small_slices(monkeypatch):
    monkeypatch.setattr(log_search, "_FIRST_SLICE_ROWS", 2)
    monkeypatch.setattr(log_search, "_MIN_SLICE_ROWS", 2)
    monkeypatch.setattr(log_search, "_MAX_SLICE_ROWS", 7)


def hasty_clock():
    """Return a clock by which every search has used up its time after its first slice."""
    return itertools.count(step=log_search.SEARCH_BUDGET_S).__next__


async def store(database, *logs):
    await insert(database, [to_row(log, project_id="default", receive_time=NOW, prices=BOOK) for log in logs])


def log_at(time: datetime, **fields):
    log = make_log(**fields)
    log.start_time.FromDatetime(time)
    return log


def by_key(logs):
    """Return ids in the order of a list."""
    return [
        log.log_id
        for log in sorted(logs, key=lambda log: (log.start_time.ToNanoseconds(), log.log_id), reverse=True)
    ]


def make_request(log_filter=None):
    request = pb.ListLogsRequest(filter=log_filter)
    request.time_range.start_time.FromDatetime(START - timedelta(minutes=10))
    request.time_range.end_time.FromDatetime(NOW + timedelta(minutes=10))
    return request


class Reader:
    """Turns pages of random sizes."""

    def __init__(self, database, request, chance, clock=lambda: 0.0):
        self._database = database
        self._request = request
        self._chance = chance
        self._clock = clock

    async def page(self, token=""):
        self._request.page_token = token
        found = parse_log_filter(self._request.filter)
        size = self._chance.randrange(1, 9)
        return await list_page(self._database, "default", found, self._request, size, clock=self._clock)

    async def walk(self, between=None):
        """Return all pages to the end."""
        pages = [await self.page()]
        while pages[-1].next_page_token:
            if between:
                await between()
            pages.append(await self.page(pages[-1].next_page_token))
        return pages


def ids_of(pages):
    return [log.log_id for page in pages for log in page.logs]


@pytest.mark.parametrize("clock", [lambda: 0.0, hasty_clock()], ids=["in time", "out of time"])
async def test_every_filter_is_read_to_the_end_and_back(database, small_slices, clock):
    chance = random.Random(7)
    logs = [random_log(chance, START) for _ in range(60)]
    await store(database, *logs)
    for _ in range(25):
        message = random_filter(chance)
        matcher = LogMatcher(parse_log_filter(message))
        expected = by_key(log for log in logs if matcher.matches(log))
        reader = Reader(database, make_request(message), chance, clock)
        pages = await reader.walk()
        assert ids_of(pages) == expected, message
        assert not pages[0].previous_page_token
        last = pages[-1]
        back: list[LogPage] = []
        while last.previous_page_token:
            last = await reader.page(last.previous_page_token)
            back.insert(0, last)
        assert ids_of([*back, pages[-1]]) == expected, message


async def test_what_is_stored_meanwhile_moves_no_log(database, small_slices):
    chance = random.Random(11)
    logs = [random_log(chance, START) for _ in range(80)]
    await store(database, *logs)

    async def store_more():
        await store(database, random_log(chance, START), random_log(chance, START - timedelta(minutes=5)))

    for log_filter in (LogFilter(), LogFilter(outcomes=[OUTCOME_ERROR]), LogFilter(text="straße")):
        matcher = LogMatcher(parse_log_filter(log_filter))
        expected = by_key(log for log in logs if matcher.matches(log))
        reader = Reader(database, make_request(log_filter), chance, hasty_clock())
        ids = ids_of(await reader.walk(store_more))
        assert len(ids) == len(set(ids))
        assert [log_id for log_id in ids if log_id in set(expected)] == expected


async def test_a_search_says_how_far_it_came(database, small_slices):
    times = [NOW - timedelta(seconds=n) for n in range(40)]
    await store(database, *(log_at(time, model="common") for time in times), log_at(START, model="rare"))
    rare = LogFilter(metric_filter=MetricFilter(models=["rare"]))
    pages = await Reader(database, make_request(rare), random.Random(1), hasty_clock()).walk()
    assert sum(bool(page.logs) for page in pages) == 1
    assert len(pages) > 10
    searched = [page.searched_time for page in pages]
    assert searched == sorted(searched, reverse=True)
    assert len(set(searched)) == len(searched)
    assert searched[-1] == START - timedelta(minutes=10)
    # Each page is whole from there on.
    common = LogFilter(metric_filter=MetricFilter(models=["common"]))
    for page in await Reader(database, make_request(common), random.Random(2), hasty_clock()).walk():
        newest = page.logs[0].start_time.ToDatetime(UTC) if page.logs else page.searched_time
        on_page = [log.start_time.ToDatetime(UTC) for log in page.logs]
        assert [time for time in times if page.searched_time <= time <= newest] == [
            time for time in on_page if time >= page.searched_time
        ]


@pytest.mark.parametrize(
    ("search_time", "budget_s"),
    [(None, log_search.SEARCH_BUDGET_S), (0, 0.0), (0.5, 0.5), (60, log_search.MAX_SEARCH_S)],
)
async def test_a_caller_chooses_how_long_to_search(analytics, monkeypatch, search_time, budget_s):
    budgets = []

    async def note(scan, keys, row_limit, *, budget_s, clock):
        budgets.append(budget_s)
        return log_search.Found([], None)

    monkeypatch.setattr(log_pages, "search_logs", note)
    request = pb.ListLogsRequest()
    if search_time is not None:
        request.search_time.FromMilliseconds(int(search_time * 1000))
    await analytics.ListLogs(request)
    assert budgets == [budget_s]


async def test_pages_may_be_searched_for_times_of_different_lengths(analytics, database):
    logs = [log_at(NOW - timedelta(seconds=n)) for n in range(3)]
    await store(database, *logs)
    request = pb.ListLogsRequest(page_size=1)
    ids = []
    for milliseconds in (1, 500, 2000):
        request.search_time.FromMilliseconds(milliseconds)
        page = await analytics.ListLogs(request)
        ids += [log.log_id for log in page.logs]
        request.page_token = page.next_page_token
    assert ids == by_key(logs)


async def test_a_time_to_search_that_is_none_is_refused(analytics):
    request = pb.ListLogsRequest()
    request.search_time.seconds = -1
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.ListLogs(request)
    reason, _, fields = info_of(caught.value)
    assert (reason, fields) == ("INVALID_FIELD", ["search_time"])


async def test_equal_times_are_told_apart_by_searched_time(database):
    logs = [log_at(NOW) for _ in range(3)]
    await store(database, *logs)
    page = await list_page(database, "default", parse_log_filter(LogFilter()), make_request(), 2)
    assert page.searched_time > NOW  # not every log of that time is on the page


async def test_pages_by_rpc(analytics, database):
    logs = [log_at(NOW - timedelta(seconds=n), tags=["t"]) for n in range(5)]
    await store(database, *logs, log_at(NOW - timedelta(hours=25)))
    request = pb.ListLogsRequest(page_size=2, filter=LogFilter(tags=["t"]))
    first = await analytics.ListLogs(request)
    request.page_token = first.next_page_token
    second = await analytics.ListLogs(request)
    assert [log.log_id for log in [*first.logs, *second.logs]] == by_key(logs)[:4]
    request.page_token = second.previous_page_token
    assert (await analytics.ListLogs(request)).logs == first.logs
    everything = await analytics.ListLogs(pb.ListLogsRequest())
    assert len(everything.logs) == 5
    assert everything.next_page_token == everything.previous_page_token == ""
    ago = datetime.now(UTC) - everything.searched_time.ToDatetime(UTC)
    assert timedelta(hours=24) <= ago < timedelta(hours=25)


async def test_pages_of_errors_turn_both_ways(analytics, database):
    failed = [log_at(NOW - timedelta(seconds=n), outcome="OUTCOME_ERROR") for n in range(5)]
    await store(database, *failed, log_at(NOW))
    request = pb.ListErrorsRequest(page_size=2)
    pages = [await analytics.ListErrors(request)]
    while pages[-1].next_page_token:
        request.page_token = pages[-1].next_page_token
        pages.append(await analytics.ListErrors(request))
    assert [log.log_id for page in pages for log in page.logs] == by_key(failed)
    for earlier, later in itertools.pairwise(pages):
        request.page_token = later.previous_page_token
        assert (await analytics.ListErrors(request)).logs == earlier.logs
    assert not pages[0].previous_page_token


async def test_a_page_of_large_logs_fits_into_a_message(analytics, database):
    text = "\U0001f600" * 500
    metadata = {f"{n:064}": text for n in range(50)}
    await store(database, *(log_at(NOW, metadata=metadata, outcome="OUTCOME_ERROR") for _ in range(60)))
    for call, request in (
        (analytics.ListLogs, pb.ListLogsRequest(page_size=1000)),
        (analytics.ListErrors, pb.ListErrorsRequest(page_size=1000)),
    ):
        seen: set[str] = set()
        while True:
            page = await call(request)
            assert page.ByteSize() < 4 * 1024 * 1024
            seen.update(log.log_id for log in page.logs)
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        assert len(seen) == 60


async def test_other_arguments_and_broken_tokens_are_refused(analytics, database):
    await store(database, *(log_at(NOW) for _ in range(3)))
    token = (await analytics.ListLogs(pb.ListLogsRequest(page_size=2))).next_page_token
    for wrong in (
        pb.ListLogsRequest(page_token=token, filter=LogFilter(text="x")),
        pb.ListLogsRequest(page_token=token[:-4]),
        pb.ListLogsRequest(page_token="older"),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await analytics.ListLogs(wrong)
        assert info_of(caught.value)[0] == "PAGE_TOKEN_MISMATCH"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.ListErrors(pb.ListErrorsRequest(page_token=token))
    assert info_of(caught.value)[0] == "PAGE_TOKEN_MISMATCH"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (pb.ListLogsRequest(page_size=-1), "page_size"),
        (pb.ListLogsRequest(filter=LogFilter(trace_id="x")), "filter.trace_id"),
    ],
)
async def test_wrong_fields_are_named(analytics, wrong, field):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await analytics.ListLogs(wrong)
    reason, _, fields = info_of(caught.value)
    assert (reason, fields) == ("INVALID_FIELD", [field])
