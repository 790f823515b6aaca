"""Made-up calls of a made-up application, the same each time: what pages show in pictures."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import analytics_service_pb2 as pb
from llm_observe.v1 import health_service_pb2 as health
from llm_observe.v1.filter_pb2 import MetricFilter, TimeRange
from llm_observe.v1.log_pb2 import OUTCOME_ERROR, Log

from tests.support.ui.fake_server import FakeServer

NOW = datetime(2026, 11, 25, 15, 21, 4, tzinfo=UTC)
"""When the pages are looked at."""
_SLOT = timedelta(minutes=15)
_SLOW_FROM, _SLOW_TO = NOW - timedelta(hours=7), NOW - timedelta(hours=4)


@dataclass(frozen=True)
class Source:
    """Calls of one kind."""

    provider: str
    model: str
    env: str
    op: str
    weight: float
    latency_s: float
    nano_usd: int | None
    errors: float


SOURCES = (
    Source("openai", "gpt-5.1-mini", "production", "chat", 0.42, 0.8, 410_000, 0.004),
    Source("openai", "text-embedding-4-small", "production", "embeddings", 0.16, 0.12, 9_000, 0.001),
    Source("anthropic", "claude-sonnet-5-5", "production", "chat", 0.22, 1.9, 5_900_000, 0.011),
    Source("gemini", "gemini-3.8-flash", "staging", "chat", 0.15, 0.6, 230_000, 0.006),
    Source("ollama", "llama4:8b", "staging", "chat", 0.05, 2.6, None, 0.02),
)
CODES = {
    "openai": ("rate_limit_exceeded", "timeout"),
    "anthropic": ("overloaded_error", "rate_limit_error", "timeout"),
    "gemini": ("RESOURCE_EXHAUSTED",),
    "ollama": ("connection_refused",),
}
_FIELDS: dict[int, Callable[[Source], str]] = {
    pb.DIMENSION_UNSPECIFIED: lambda source: "",
    pb.DIMENSION_PROVIDER: lambda source: source.provider,
    pb.DIMENSION_MODEL: lambda source: source.model,
    pb.DIMENSION_ENVIRONMENT: lambda source: source.env,
    pb.DIMENSION_OPERATION: lambda source: source.op,
    pb.DIMENSION_USER: lambda source: f"user-{len(source.model):03}",
}


@cache
def _metrics_of(source: Source, slot: datetime) -> pb.Metrics:
    """Return the numbers of a source in a quarter of an hour."""
    chance = random.Random(f"{source.model} {slot:%Y-%m-%dT%H:%M}")
    hour = slot.hour + slot.minute / 60
    load = 0.25 + 0.75 * max(0.0, math.sin((hour - 5) / 17 * math.pi))
    if slot.weekday() >= 5:
        load *= 0.4
    calls = int(240 * source.weight * load * chance.uniform(0.85, 1.15))
    slow = 2.7 if source.provider == "anthropic" and _SLOW_FROM <= slot < _SLOW_TO else 1.0
    failed = sum(chance.random() < source.errors * (9 if slow > 1 else 1) for _ in range(calls))
    cancelled = int(calls * 0.01)
    metrics = pb.Metrics(
        request_count=calls,
        success_count=calls - failed - cancelled,
        error_count=failed,
        cancelled_count=cancelled,
        input_token_count=calls * 820,
        output_token_count=calls * 240,
        total_token_count=calls * 1060,
        cache_read_token_count=calls * 210,
        reasoning_token_count=calls * 30,
        cost_nano_usd=calls * (source.nano_usd or 0),
        priced_count=calls if source.nano_usd is not None else 0,
        unpriced_count=0 if source.nano_usd is not None else calls,
    )
    if calls:
        metrics.success_rate = metrics.success_count / calls
        typical = source.latency_s * slow * chance.uniform(0.92, 1.08)
        _describe(metrics.latency, metrics.success_count, typical)
        if source.op == "chat":
            _describe(metrics.time_to_first_token, metrics.success_count, typical * 0.28)
    return metrics


def _describe(distribution: pb.Distribution, count: int, typical_s: float) -> None:
    distribution.count = count
    for name, factor in {"average": 1.15, "p50": 1.0, "p90": 1.9, "p95": 2.4, "p99": 3.6}.items():
        getattr(distribution, name).FromTimedelta(timedelta(seconds=typical_s * factor))


def total(parts: list[pb.Metrics]) -> pb.Metrics:
    """Return the sum; percentiles are weighted means, which is near enough for a picture."""
    result = pb.Metrics()
    for part in parts:
        for field, value in part.ListFields():
            if field.name.endswith(("_count", "_nano_usd")):
                setattr(result, field.name, getattr(result, field.name) + value)
    if result.request_count:
        result.success_rate = result.success_count / result.request_count
    for name in ("latency", "time_to_first_token"):
        known = [getattr(part, name) for part in parts if part.HasField(name) and getattr(part, name).count]
        if known:
            _average(getattr(result, name), known)
    return result


def _average(result: pb.Distribution, parts: list[pb.Distribution]) -> None:
    result.count = sum(part.count for part in parts)
    for name in ("average", "p50", "p90", "p95", "p99"):
        seconds = sum(getattr(part, name).ToNanoseconds() * part.count for part in parts) / result.count
        getattr(result, name).FromNanoseconds(int(seconds))


def _slots(start: datetime, end: datetime) -> Iterator[datetime]:
    slot = datetime.fromtimestamp(start.timestamp() // 900 * 900, UTC)
    while slot < min(end, NOW):
        yield slot
        slot += _SLOT


def matching(chosen: MetricFilter) -> list[Source]:
    return [
        source
        for source in SOURCES
        if (not chosen.providers or source.provider in chosen.providers)
        and (not chosen.models or source.model in chosen.models)
        and (not chosen.environments or source.env in chosen.environments)
        and (not chosen.operations or source.op in chosen.operations)
    ]


def _window(time_range: TimeRange) -> tuple[datetime, datetime]:
    start, end = (time.ToDatetime(tzinfo=UTC) for time in (time_range.start_time, time_range.end_time))
    assert timedelta(0) <= end - start <= timedelta(days=366)  # as the server demands
    return start, end


def _between(start: datetime, end: datetime, sources: list[Source]) -> pb.Metrics:
    return _sum(start, end, tuple(sources))


@cache
def _sum(start: datetime, end: datetime, sources: tuple[Source, ...]) -> pb.Metrics:
    return total([_metrics_of(source, slot) for slot in _slots(start, end) for source in sources])


def get_summary(request: pb.GetSummaryRequest) -> pb.GetSummaryResponse:
    start, end = _window(request.time_range)
    sources = matching(request.filter)
    current = _between(start, end, sources)
    return pb.GetSummaryResponse(
        current=current,
        finished=current,
        previous=_between(start - (end - start), start, sources),
        time_range=request.time_range,
    )


def query_time_series(request: pb.QueryTimeSeriesRequest) -> pb.QueryTimeSeriesResponse:
    start, end = _window(request.time_range)
    step = max(request.step.ToTimedelta(), _SLOT)
    if start < NOW - timedelta(hours=48):  # as the server demands
        assert request.step.ToTimedelta() % timedelta(hours=1) == timedelta(0)
    sources = matching(request.filter)
    series = []
    for group in _groups(sources, request.group_by):
        chosen = [source for source in sources if _FIELDS[request.group_by](source) == group]
        points = []
        at = datetime.fromtimestamp(start.timestamp() // step.total_seconds() * step.total_seconds(), UTC)
        while at < end:
            metrics = _between(at, at + step, chosen)
            if metrics.request_count:
                point = pb.TimePoint(metrics=metrics, unfinished=at + step > NOW)
                point.start_time.FromDatetime(at)
                points.append(point)
            at += step
        series.append(pb.TimeSeries(group=group, points=points))
    answer = pb.QueryTimeSeriesResponse(series=series, time_range=request.time_range)
    answer.step.FromTimedelta(step)
    return answer


def _groups(sources: list[Source], dimension: int) -> list[str]:
    weights: dict[str, float] = {}
    for source in sources:
        group = _FIELDS[dimension](source)
        weights[group] = weights.get(group, 0) + source.weight
    return sorted(weights, key=lambda group: -weights[group])


def query_breakdown(request: pb.QueryBreakdownRequest) -> pb.QueryBreakdownResponse:
    start, end = _window(request.time_range)
    sources = matching(request.filter)
    if request.dimension == pb.DIMENSION_ERROR_CODE:
        rows = _code_rows(sources, start, end)
    else:
        field = _FIELDS[request.dimension]
        rows = [
            pb.BreakdownRow(
                group=group,
                metrics=_between(start, end, [source for source in sources if field(source) == group]),
            )
            for group in _groups(sources, request.dimension)
        ]
    return pb.QueryBreakdownResponse(
        rows=rows, total=_between(start, end, sources), time_range=request.time_range
    )


def _code_rows(sources: list[Source], start: datetime, end: datetime) -> list[pb.BreakdownRow]:
    failed: dict[str, int] = {}
    for source in sources:
        left = _between(start, end, [source]).error_count
        for code in CODES[source.provider]:
            part = left if code == CODES[source.provider][-1] else left * 2 // 3
            failed[code], left = failed.get(code, 0) + part, left - part
    return [
        pb.BreakdownRow(group=code, metrics=pb.Metrics(request_count=count, error_count=count))
        for code, count in sorted(failed.items(), key=lambda item: -item[1])
        if count
    ]


def list_facets(request: pb.ListFacetsRequest) -> pb.ListFacetsResponse:
    start, end = _window(request.time_range)
    facets = []
    for dimension in (
        pb.DIMENSION_PROVIDER,
        pb.DIMENSION_MODEL,
        pb.DIMENSION_OPERATION,
        pb.DIMENSION_ENVIRONMENT,
    ):
        field = _FIELDS[dimension]
        facets.append(
            pb.Facet(
                dimension=dimension,
                values=[
                    pb.FacetValue(
                        value=group,
                        request_count=_between(
                            start, end, [source for source in SOURCES if field(source) == group]
                        ).request_count,
                    )
                    for group in _groups(list(SOURCES), dimension)
                ],
            )
        )
    return pb.ListFacetsResponse(facets=facets, time_range=request.time_range)


RELEASES = {"2026.11.3": 16.4, "2026.11.2": 95.0, "2026.11.1": 380.0}
"""How many hours ago they began."""


def list_releases(request: pb.ListReleasesRequest) -> pb.ListReleasesResponse:
    start, end = _window(request.time_range)
    response = pb.ListReleasesResponse()
    for name, hours in RELEASES.items():
        time = NOW - timedelta(hours=hours)
        if start <= time < end:
            response.releases.add(name=name).first_time.FromDatetime(time)
    return response


MESSAGES = {
    "rate_limit_exceeded": (429, "Rate limit reached for requests"),
    "timeout": (None, "Request timed out."),
    "overloaded_error": (529, "Overloaded"),
    "rate_limit_error": (429, "This request would exceed your organization's rate limit"),
    "RESOURCE_EXHAUSTED": (429, "Quota exceeded for model"),
    "connection_refused": (None, "connect: connection refused"),
}


def list_errors(request: pb.ListErrorsRequest) -> pb.ListErrorsResponse:
    chance = random.Random(7)
    logs = []
    time = NOW
    for number in range(request.page_size or 50):
        time -= timedelta(seconds=chance.randrange(20, 900))
        source = chance.choice(
            [source for source in matching(request.filter) for _ in range(int(source.weight * 20))] or [None]
        )
        if source is None:
            break
        code = chance.choice(CODES[source.provider])
        status, message = MESSAGES[code]
        log = Log(
            log_id=f"01a213{number:026x}",
            provider=source.provider,
            model=source.model,
            outcome=OUTCOME_ERROR,
            error_code=code,
            error_message=message,
            conversation_id=f"c{number:031x}" if number % 3 == 0 else "",
            http_status=status,
        )
        log.start_time.FromDatetime(time)
        logs.append(log)
    return pb.ListErrorsResponse(logs=logs)


def check_health() -> health.CheckResponse:
    answer = health.CheckResponse(
        state=health.HEALTH_STATE_HEALTHY,
        queue=health.QueueHealth(depth=0, consumer_count=1),
        dead_letter_count=0,
        version="0.1.0",
    )
    answer.start_time.FromDatetime(NOW - timedelta(hours=5))
    return answer


def serve_sample(fake: FakeServer) -> None:
    """Have a server answer as if the application had run for a month."""
    fake.answers |= {
        "AnalyticsService.GetSummary": get_summary,
        "AnalyticsService.QueryTimeSeries": query_time_series,
        "AnalyticsService.QueryBreakdown": query_breakdown,
        "AnalyticsService.ListFacets": list_facets,
        "AnalyticsService.ListErrors": list_errors,
        "AnalyticsService.ListReleases": list_releases,
        "HealthService.Check": check_health(),
        "AdminService.QueryLedger": admin.QueryLedgerResponse(
            entries=[
                admin.LedgerEntry(producer_id="p1", sent_count=13_902, stored_count=13_894, duplicate_count=8)
            ]
        ),
        "AdminService.GetCaller": admin.GetCallerResponse(
            project=admin.Project(project_id="default", display_name="Default"),
            roles=[
                admin.API_KEY_ROLE_INGEST,
                admin.API_KEY_ROLE_READ,
                admin.API_KEY_ROLE_CHAT,
                admin.API_KEY_ROLE_ADMIN,
            ],
        ),
        "AdminService.ListProjects": admin.ListProjectsResponse(
            projects=[admin.Project(project_id="default", display_name="Default")]
        ),
    }
