"""What the page Operations shows of the made-up application: a few things went wrong."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import alert_service_pb2 as alerts
from llm_observe.v1 import export_service_pb2 as export
from llm_observe.v1 import health_service_pb2 as health

from streamlit_app.data.queue_history import QueueHistory
from tests.support.ui.fake_server import FakeServer
from tests.support.ui.sample import NOW

_PRODUCERS = (
    ("checkout-7f9c-1", "llm-observe-python/0.1.0", 310),
    ("support-bot-5d21-2", "llm-observe-python/0.1.0", 220),
    ("batch-summaries-1", "llm-observe-python/0.0.9", 60),
    ("otlp:web-frontend", "opentelemetry-js/2.1.0", 40),
)


def _before(**ago: float) -> datetime:
    return NOW - timedelta(**ago)


def ledger_entries() -> list[admin.LedgerEntry]:
    """Return a day of entries: one producer dropped a few, and lost a batch."""
    entries = []
    for hours in range(24):
        for producer, sdk, rate in _PRODUCERS:
            sent = rate + (hours * 37) % 90
            entry = admin.LedgerEntry(producer_id=producer, sdk=sdk, sent_count=sent, stored_count=sent)
            entry.hour.FromDatetime(NOW.replace(minute=0, second=0) - timedelta(hours=hours))
            if producer.startswith("batch") and hours == 5:
                entry.dropped_counts["queue_full"] = 41
                entry.missing_batch_count = 1
            if producer.startswith("support") and hours in {2, 3}:
                entry.stored_count -= 12
                entry.dead_lettered_count = 12
            if producer.startswith("checkout") and hours == 8:
                entry.stored_count -= 20
                entry.duplicate_count = 20
            entries.append(entry)
    return entries


_LETTERS = (
    ("failed:QueryCanceledError", "canceling statement due to statement timeout", 5),
    ("invalid_content", "tags: a value that no row can hold", 2),
    ("killed_worker", "the worker ended while it stored this batch", 1),
)


def dead_letters() -> list[admin.DeadLetter]:
    """Return eight waiting dead letters of three reasons, newest first."""
    letters: list[admin.DeadLetter] = []
    for reason, message, number in _LETTERS:
        for index in range(number):
            letter = admin.DeadLetter(
                dead_letter_id=f"01a21588-0000-7000-8000-{len(letters):012x}",
                reason=reason,
                message=message,
                attempt_count=3,
                log_count=3,
                producer_id="support-bot-5d21-2",
                state=admin.DEAD_LETTER_STATE_WAITING,
            )
            letter.first_attempt_time.FromDatetime(_before(hours=3, minutes=index))
            letter.last_attempt_time.FromDatetime(_before(hours=2, minutes=index * 7))
            letters.append(letter)
    return letters


def list_dead_letters(request: admin.ListDeadLettersRequest) -> admin.ListDeadLettersResponse:
    waiting = list(request.filter.states) == [admin.DEAD_LETTER_STATE_WAITING]
    return admin.ListDeadLettersResponse(dead_letters=dead_letters() if waiting else [])


def get_dead_letter(request: admin.GetDeadLetterRequest) -> admin.GetDeadLetterResponse:
    letter = next(one for one in dead_letters() if one.dead_letter_id == request.dead_letter_id)
    log = {
        "log_id": "01a21588-d5a0-7f3c-9c1d-5f1a3c0e7b42",
        "provider": "openai",
        "prompt_preview": "Hello [EMAIL]",
    }
    letter.payload_json = json.dumps({"logs": [log]})
    return admin.GetDeadLetterResponse(dead_letter=letter)


def check_health() -> health.CheckResponse:
    answer = health.CheckResponse(
        state=health.HEALTH_STATE_DEGRADED,
        queue=health.QueueHealth(depth=14, pending_count=3, delayed_count=1, consumer_count=2),
        dead_letter_count=8,
        version="0.1.0",
        rollups=health.RollupHealth(),
    )
    answer.queue.oldest_age.FromMilliseconds(1_800)
    for name, milliseconds in (("postgres", 1.6), ("redis", 0.4)):
        dependency = answer.dependencies.add(name=name, state=health.HEALTH_STATE_HEALTHY)
        dependency.latency.FromMicroseconds(int(milliseconds * 1000))
    answer.start_time.FromDatetime(_before(hours=5))
    return answer


def add_history(history: QueueHistory) -> None:
    """Have a history of an hour, with a gap: the queue grew, and was emptied."""
    for number in range(240, -1, -1):
        if 150 < number < 170:
            continue
        depth = max(0, 40 - abs(number - 90)) * 3 + number % 4
        queue = health.QueueHealth(depth=depth)
        queue.oldest_age.FromMilliseconds(depth * 110)
        history.add(queue, NOW - timedelta(seconds=15 * number))


def api_keys() -> list[admin.ApiKey]:
    """Return a key that works, one that has expired and one that was revoked."""
    keys = []
    for number, (name, roles, state) in enumerate(
        (
            ("checkout, production", [admin.API_KEY_ROLE_INGEST], ""),
            ("dashboard", [admin.API_KEY_ROLE_READ, admin.API_KEY_ROLE_CHAT, admin.API_KEY_ROLE_ADMIN], ""),
            ("load test", [admin.API_KEY_ROLE_INGEST], "expire_time"),
            ("left the company", [admin.API_KEY_ROLE_READ], "revoke_time"),
        )
    ):
        key = admin.ApiKey(
            api_key_id=f"01a21588-0000-7000-9000-{number:012x}",
            project_id="default",
            display_name=name,
            prefix=f"prefix{number}",
            roles=roles,
        )
        key.create_time.FromDatetime(_before(days=20 + number))
        key.last_use_time.FromDatetime(_before(hours=number * 30))
        if state:
            getattr(key, state).FromDatetime(_before(days=2))
        keys.append(key)
    return keys


def exports() -> list[export.Export]:
    """Return exports in all states but cancelled."""
    found = []
    for number, state in enumerate(
        (export.EXPORT_STATE_RUNNING, export.EXPORT_STATE_SUCCEEDED, export.EXPORT_STATE_FAILED)
    ):
        one = export.Export(
            export_id=f"01a21588-0000-7000-a000-{number:012x}",
            state=state,
            row_count=52_310 * number,
            size_bytes=3_260_000 * number,
            files=[f"default/2026-11-25/{hour:02}.parquet" for hour in range(3 * number)],
        )
        one.time_range.start_time.FromDatetime(_before(days=1 + number))
        one.time_range.end_time.FromDatetime(_before(days=number))
        one.create_time.FromDatetime(_before(hours=number + 1))
        if state != export.EXPORT_STATE_RUNNING:
            one.finish_time.FromDatetime(_before(hours=number, minutes=50))
        if state == export.EXPORT_STATE_FAILED:
            one.error_reason = "LAKE_UNAVAILABLE"
            one.error_message = "the bucket refused the write"
        found.append(one)
    return found


def alert_rules() -> list[alerts.AlertRule]:
    """Return a rule that fires, one that is quiet, and one that cannot be evaluated."""
    rules: list[alerts.AlertRule] = []
    for name, metric, threshold, severity, error in (
        ("Too many errors", alerts.ALERT_METRIC_ERROR_RATE, 0.05, alerts.ALERT_SEVERITY_CRITICAL, ""),
        ("Slow", alerts.ALERT_METRIC_LATENCY_P95, 8, alerts.ALERT_SEVERITY_WARNING, ""),
        ("Queue", alerts.ALERT_METRIC_QUEUE_AGE, 60, alerts.ALERT_SEVERITY_WARNING, "Redis does not answer"),
    ):
        rule = alerts.AlertRule(
            alert_rule_id=f"01a21588-0000-7000-b000-{len(rules):012x}",
            display_name=name,
            metric=metric,
            threshold=threshold,
            severity=severity,
            evaluation_error=error,
            channel_ids=["c1"],
        )
        rule.window.FromTimedelta(timedelta(minutes=5))
        rule.evaluate_time.FromDatetime(_before(seconds=40))
        rules.append(rule)
    return rules


def budgets() -> list[alerts.Budget]:
    budget = alerts.Budget(
        budget_id="01a21588-0000-7000-c000-000000000000",
        display_name="Everything",
        period=alerts.BUDGET_PERIOD_MONTH,
        amount_nano_usd=500 * 10**9,
    )
    budget.evaluate_time.FromDatetime(_before(seconds=40))
    return [budget]


def get_budget(request: alerts.GetBudgetRequest) -> alerts.GetBudgetResponse:
    status = alerts.BudgetStatus(
        spent_nano_usd=318_200_000_000,
        forecast_nano_usd=391_000_000_000,
        request_count=90_211,
        unpriced_count=412,
    )
    return alerts.GetBudgetResponse(budget=budgets()[0], status=status)


def list_alerts(request: alerts.ListAlertsRequest) -> alerts.ListAlertsResponse:
    rule = alert_rules()[0]
    firing = alerts.Alert(
        alert_id="a1",
        alert_rule_id=rule.alert_rule_id,
        state=alerts.ALERT_STATE_FIRING,
        summary="Error rate is 7.2 %, above 5 %",
        deliveries=[alerts.NoticeDelivery(channel_id="c1", state=alerts.DELIVERY_STATE_DELIVERED)],
    )
    firing.start_time.FromDatetime(_before(minutes=18))
    past = alerts.Alert(
        alert_id="a0",
        alert_rule_id=alert_rules()[1].alert_rule_id,
        state=alerts.ALERT_STATE_RESOLVED,
        summary="Latency p95 is 9.1 s, above 8 s",
    )
    past.start_time.FromDatetime(_before(hours=7))
    past.resolve_time.FromDatetime(_before(hours=4))
    return alerts.ListAlertsResponse(alerts=[firing, past] if request.states else [firing])


def serve_operations(fake: FakeServer) -> None:
    """Have a server answer the page Operations, with a few things gone wrong."""
    fake.answers |= {
        "HealthService.Check": check_health(),
        "AdminService.GetQueueStats": admin.GetQueueStatsResponse(memory_bytes=1_310_720),
        "AdminService.QueryLedger": admin.QueryLedgerResponse(entries=ledger_entries()),
        "AdminService.ListDeadLetters": list_dead_letters,
        "AdminService.GetDeadLetter": get_dead_letter,
        "AdminService.ListApiKeys": admin.ListApiKeysResponse(api_keys=api_keys()),
        "ExportService.ListExports": export.ListExportsResponse(exports=exports()),
        "AlertService.ListAlertRules": alerts.ListAlertRulesResponse(alert_rules=alert_rules()),
        "AlertService.ListBudgets": alerts.ListBudgetsResponse(budgets=budgets()),
        "AlertService.GetBudget": get_budget,
        "AlertService.ListAlerts": list_alerts,
        "AlertService.ListChannels": alerts.ListChannelsResponse(
            channels=[alerts.Channel(channel_id="c1", display_name="on call")]
        ),
    }
