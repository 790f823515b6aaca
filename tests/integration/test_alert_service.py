"""AlertService: what is stored, what is refused, and what is never shown."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from click.testing import CliRunner
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import ParseDict
from llm_observe.v1 import alert_service_pb2 as pb
from llm_observe.v1.alert_service_pb2_grpc import AlertServiceStub
from llm_observe.v1.health_service_pb2 import CheckRequest
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from stack.cli.main import cli
from stack.errors import StackError
from tests.support.alerts import MINUTE, NOW, Clock, make_evaluator, make_sender, store_calls
from tests.support.keys import make_key
from tests.support.methods import call, reason_of
from tests.support.receiver import running_receiver
from tests.support.rpc import bearer, info_of, stub
from tests.support.server import running_server
from worker.notices.settings import NoticeSettings

NOBODY = "00000000-0000-0000-0000-000000000000"
URL = "https://hooks.example.com/" + "s3cret"


@pytest.fixture
def service(channel):
    return stub(AlertServiceStub, channel)


def rule(**fields):
    return ParseDict(
        {"displayName": "Errors", "metric": "ALERT_METRIC_ERROR_RATE", "threshold": 0.5, **fields},
        pb.AlertRule(),
    )


def budget(**fields):
    values = {"displayName": "Month", "period": "BUDGET_PERIOD_MONTH", "amountNanoUsd": 5_000_000_000}
    return ParseDict({**values, **fields}, pb.Budget())


def channel_of(**fields):
    values = {"displayName": "pager", "type": "CHANNEL_TYPE_WEBHOOK", "url": URL}
    return ParseDict({**values, **fields}, pb.Channel())


async def create_channel(service, **fields):
    response = await service.CreateChannel(pb.CreateChannelRequest(channel=channel_of(**fields)))
    return response.channel


async def create_rule(service, **fields):
    return (await service.CreateAlertRule(pb.CreateAlertRuleRequest(alert_rule=rule(**fields)))).alert_rule


async def test_a_rule_is_created_with_defaults_read_listed_and_deleted(service):
    created = await create_rule(service)
    assert (created.window.seconds, created.keep_duration.seconds, created.repeat_interval.seconds) == (
        300, 300, 14_400,
    )  # fmt: skip
    assert (created.comparison, created.severity) == (pb.COMPARISON_ABOVE, pb.ALERT_SEVERITY_WARNING)
    request = pb.GetAlertRuleRequest(alert_rule_id=created.alert_rule_id)
    assert (await service.GetAlertRule(request)).alert_rule == created
    assert list((await service.ListAlertRules(pb.ListAlertRulesRequest())).alert_rules) == [created]
    delete = pb.DeleteAlertRuleRequest(alert_rule_id=created.alert_rule_id)
    await service.DeleteAlertRule(delete)
    assert await reason_of(service.DeleteAlertRule(delete)) == "ALERT_RULE_NOT_FOUND"
    assert await reason_of(service.GetAlertRule(request)) == "ALERT_RULE_NOT_FOUND"


async def test_an_update_changes_what_its_mask_names(service):
    created = await create_rule(
        service, window="3600s", filter={"models": ["a", "b"]}, groupBy="DIMENSION_MODEL", minRequestCount=7
    )
    changed = rule(
        alertRuleId=created.alert_rule_id,
        threshold=0.9,
        filter={"providers": ["openai"]},
        displayName="ignored",
    )
    mask = FieldMask(paths=["threshold", "filter", "group_by"])
    request = pb.UpdateAlertRuleRequest(alert_rule=changed, update_mask=mask)
    updated = (await service.UpdateAlertRule(request)).alert_rule
    assert (updated.display_name, updated.threshold, updated.group_by) == ("Errors", 0.9, 0)
    assert (list(updated.filter.providers), list(updated.filter.models)) == (["openai"], [])
    assert (updated.window.seconds, updated.min_request_count) == (3600, 7)
    assert (await service.UpdateAlertRule(request)).alert_rule.threshold == 0.9  # repeating is safe
    request.update_mask.Clear()
    updated = (await service.UpdateAlertRule(request)).alert_rule
    assert (updated.display_name, updated.window.seconds, updated.min_request_count) == ("ignored", 300, 0)
    request.update_mask.paths[:] = ["project_id"]
    assert await reason_of(service.UpdateAlertRule(request)) == "INVALID_FIELD"


async def test_concurrent_updates_of_other_fields_are_both_kept(service):
    created = await create_rule(service)

    def update(path, **fields):
        changed = rule(alertRuleId=created.alert_rule_id, **fields)
        return service.UpdateAlertRule(
            pb.UpdateAlertRuleRequest(alert_rule=changed, update_mask=FieldMask(paths=[path]))
        )

    await asyncio.gather(update("threshold", threshold=0.1), update("window", window="600s"))
    request = pb.GetAlertRuleRequest(alert_rule_id=created.alert_rule_id)
    found = (await service.GetAlertRule(request)).alert_rule
    assert (found.threshold, found.window.seconds) == (0.1, 600)


@pytest.mark.parametrize(
    ("fields", "violated"),
    [
        ({"displayName": ""}, "alert_rule.display_name"),
        ({"displayName": "x" * 101}, "alert_rule.display_name"),
        ({"displayName": "two\nlines"}, "alert_rule.display_name"),
        ({"metric": 0}, "alert_rule.metric"),
        ({"metric": 99}, "alert_rule.metric"),
        ({"comparison": 9}, "alert_rule.comparison"),
        ({"severity": 9}, "alert_rule.severity"),
        ({"threshold": "NaN"}, "alert_rule.threshold"),
        ({"threshold": "Infinity"}, "alert_rule.threshold"),
        ({"window": "299s"}, "alert_rule.window"),
        ({"window": "330s"}, "alert_rule.window"),
        ({"window": "300.5s"}, "alert_rule.window"),
        ({"window": "-300s"}, "alert_rule.window"),
        ({"window": "2678460s"}, "alert_rule.window"),
        ({"forDuration": "86401s"}, "alert_rule.for_duration"),
        ({"keepDuration": "59s"}, "alert_rule.keep_duration"),
        ({"repeatInterval": "299s"}, "alert_rule.repeat_interval"),
        ({"minRequestCount": -1}, "alert_rule.min_request_count"),
        ({"groupBy": "DIMENSION_USER"}, "alert_rule.group_by"),
        ({"groupBy": "DIMENSION_ERROR_CODE"}, "alert_rule.group_by"),
        ({"groupBy": 99}, "alert_rule.group_by"),
        ({"filter": {"models": ["m"] * 51}}, "alert_rule.filter.models"),
        ({"channelIds": ["x"]}, "alert_rule.channel_ids"),
        ({"channelIds": [NOBODY] * 11}, "alert_rule.channel_ids"),
        ({"metric": "ALERT_METRIC_QUEUE_AGE", "filter": {"models": ["m"]}}, "alert_rule.metric"),
        ({"metric": "ALERT_METRIC_DEAD_LETTERS", "relativeToPrevious": True}, "alert_rule.metric"),
    ],
)
async def test_rules_that_are_refused(service, fields, violated):
    for method, request in (
        (service.CreateAlertRule, pb.CreateAlertRuleRequest(alert_rule=rule(**fields))),
        (service.EvaluateAlertRule, pb.EvaluateAlertRuleRequest(alert_rule=rule(**fields))),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await method(request)
        reason, _, fields_named = info_of(caught.value)
        assert (reason, fields_named) == ("INVALID_FIELD", [violated])


@pytest.mark.parametrize(
    ("fields", "violated"),
    [
        ({"period": 0}, "budget.period"),
        ({"amountNanoUsd": 0}, "budget.amount_nano_usd"),
        ({"amountNanoUsd": -1}, "budget.amount_nano_usd"),
        ({"timeZone": "Mars/Olympus"}, "budget.time_zone"),
        ({"timeZone": "../../etc/passwd"}, "budget.time_zone"),
        ({"timeZone": "Europe"}, "budget.time_zone"),
        ({"timeZone": "/etc/localtime"}, "budget.time_zone"),
        ({"thresholdPercents": [0]}, "budget.threshold_percents"),
        ({"thresholdPercents": [1001]}, "budget.threshold_percents"),
        ({"thresholdPercents": list(range(1, 12))}, "budget.threshold_percents"),
    ],
)
async def test_budgets_that_are_refused(service, fields, violated):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.CreateBudget(pb.CreateBudgetRequest(budget=budget(**fields)))
    assert info_of(caught.value)[2] == [violated]


@pytest.mark.parametrize(
    ("fields", "violated"),
    [
        ({"type": 0}, "channel.type"),
        ({"url": "http://example.com"}, "channel.url"),
        ({"url": "https://127.0.0.1/"}, "channel.url"),
        ({"url": "https://169.254.169.254/latest"}, "channel.url"),
        ({"url": ""}, "channel.url"),
        ({"emailAddresses": ["a@b.c"]}, "channel.email_addresses"),
        ({"type": "CHANNEL_TYPE_EMAIL", "url": ""}, "channel.email_addresses"),
        ({"type": "CHANNEL_TYPE_EMAIL", "emailAddresses": ["a@b.c"]}, "channel.url"),
        *(
            (
                {"type": "CHANNEL_TYPE_EMAIL", "url": "", "emailAddresses": [address]},
                "channel.email_addresses",
            )
            for address in ("a", "a@b\r\nBcc: c@d", "a@b, c@d", "<a@b>", "a b@c", "@b", "a@")
        ),
        ({"displayName": "\r\n"}, "channel.display_name"),
    ],
)
async def test_channels_that_are_refused(service, fields, violated):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.CreateChannel(pb.CreateChannelRequest(channel=channel_of(**fields)))
    assert info_of(caught.value)[2] == [violated]
    assert "169.254" not in (caught.value.details() or "")


async def test_secrets_are_shown_once_and_urls_never(service, sql):
    created = await service.CreateChannel(pb.CreateChannelRequest(channel=channel_of()))
    assert len(created.signing_secret) >= 43
    shown = [created.channel]
    shown += (await service.ListChannels(pb.ListChannelsRequest())).channels
    update = pb.UpdateChannelRequest(
        channel=channel_of(channelId=created.channel.channel_id, displayName="new", url=URL + "2"),
        update_mask=FieldMask(paths=["display_name", "url"]),
    )
    shown.append((await service.UpdateChannel(update)).channel)
    for each in shown:
        assert each.host == "hooks.example.com"
        assert "s3cret" not in str(each)
        assert created.signing_secret not in str(each)
    assert shown[-1].display_name == "new"
    assert await sql.fetchval("SELECT url FROM alert_channels") == URL + "2"


async def test_an_update_of_a_channel_keeps_what_its_type_needs(service):
    email = await create_channel(service, type="CHANNEL_TYPE_EMAIL", url="", emailAddresses=["a@example.com"])

    def update(*paths, **fields):
        changed = ParseDict({"channelId": email.channel_id, **fields}, pb.Channel())
        request = pb.UpdateChannelRequest(channel=changed, update_mask=FieldMask(paths=paths))
        return service.UpdateChannel(request)

    assert await reason_of(update("url", url=URL)) == "INVALID_FIELD"
    assert await reason_of(update("email_addresses")) == "INVALID_FIELD"
    assert await reason_of(update("type", type="CHANNEL_TYPE_SLACK")) == "INVALID_FIELD"
    assert await reason_of(update(displayName="x")) == "INVALID_FIELD"
    changed = (await update("email_addresses", emailAddresses=["b@example.com"])).channel
    assert list(changed.email_addresses) == ["b@example.com"]
    assert changed.display_name == "pager"


async def test_a_channel_in_use_is_not_deleted(service):
    created = await create_channel(service)
    used = await create_rule(service, channelIds=[created.channel_id])
    delete = pb.DeleteChannelRequest(channel_id=created.channel_id)
    assert await reason_of(service.DeleteChannel(delete)) == "CHANNEL_IN_USE"
    await service.DeleteAlertRule(pb.DeleteAlertRuleRequest(alert_rule_id=used.alert_rule_id))
    budgeted = budget(channelIds=[created.channel_id])
    made = (await service.CreateBudget(pb.CreateBudgetRequest(budget=budgeted))).budget
    assert await reason_of(service.DeleteChannel(delete)) == "CHANNEL_IN_USE"
    await service.DeleteBudget(pb.DeleteBudgetRequest(budget_id=made.budget_id))
    await service.DeleteChannel(delete)
    assert await reason_of(service.DeleteChannel(delete)) == "CHANNEL_NOT_FOUND"
    again = pb.CreateAlertRuleRequest(alert_rule=rule(channelIds=[created.channel_id]))
    assert await reason_of(service.CreateAlertRule(again)) == "CHANNEL_NOT_FOUND"


async def test_a_project_has_a_hundred_rules_at_most(service):
    for _ in range(100):
        await create_rule(service)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await create_rule(service)
    assert caught.value.details() == "alert_rule: the project has 100 already: delete one first"


async def test_a_budget_is_created_read_with_its_status_changed_and_deleted(service, database):
    await store_calls(database, NOW, ok=2)
    await store_calls(database, NOW, ok=1, model="nobody knows its price")
    created = (await service.CreateBudget(pb.CreateBudgetRequest(budget=budget()))).budget
    assert (created.time_zone, list(created.threshold_percents)) == ("UTC", [50, 80, 100])
    got = await service.GetBudget(pb.GetBudgetRequest(budget_id=created.budget_id))
    assert got.budget == created
    assert (got.status.spent_nano_usd, got.status.request_count, got.status.unpriced_count) == (27_000, 3, 1)
    update = pb.UpdateBudgetRequest(
        budget=budget(budgetId=created.budget_id, timeZone="Asia/Tokyo", thresholdPercents=[90, 10, 90]),
        update_mask=FieldMask(paths=["time_zone", "threshold_percents"]),
    )
    updated = (await service.UpdateBudget(update)).budget
    assert (updated.time_zone, list(updated.threshold_percents)) == ("Asia/Tokyo", [10, 90])
    assert list((await service.ListBudgets(pb.ListBudgetsRequest())).budgets) == [updated]
    await service.DeleteBudget(pb.DeleteBudgetRequest(budget_id=created.budget_id))
    for request in (pb.GetBudgetRequest, pb.DeleteBudgetRequest):
        method = getattr(service, request.DESCRIPTOR.name.removesuffix("Request"))
        assert await reason_of(method(request(budget_id=created.budget_id))) == "BUDGET_NOT_FOUND"


async def test_what_a_rule_would_see(service, database):
    await store_calls(database, NOW - 4 * MINUTE, ok=1, failed=3)
    request = pb.EvaluateAlertRuleRequest(alert_rule=rule(window="3600s", groupBy="DIMENSION_MODEL"))
    response = await service.EvaluateAlertRule(request)
    (seen,) = response.evaluations
    assert (seen.group, seen.value, seen.request_count, seen.breached) == ("gpt-4o-mini", 0.75, 4, True)
    assert response.time_range.end_time.seconds - response.time_range.start_time.seconds == 3600
    request = pb.EvaluateAlertRuleRequest(alert_rule=rule(metric="ALERT_METRIC_QUEUE_AGE"))
    (seen,) = (await service.EvaluateAlertRule(request)).evaluations
    assert seen.value == 0
    assert (await service.ListAlerts(pb.ListAlertsRequest())).alerts == []


async def test_alerts_are_listed_in_pages_with_their_deliveries(service, database, channel):
    created = await create_channel(service)
    for number in range(5):
        await create_rule(service, displayName=f"rule {number}", channelIds=[created.channel_id])
    await store_calls(database, NOW - 4 * MINUTE, failed=3)
    await make_evaluator(database).evaluate(NOW)
    names, token = [], ""
    while True:
        request = pb.ListAlertsRequest(page_size=2, page_token=token)
        page = await service.ListAlerts(request)
        names += [alert.labels["alertname"] for alert in page.alerts]
        for alert in page.alerts:
            (delivery,) = alert.deliveries
            assert (delivery.state, delivery.status) == (pb.DELIVERY_STATE_WAITING, pb.ALERT_STATE_FIRING)
        token = page.next_page_token
        if not token:
            break
    assert sorted(names) == [f"rule {number}" for number in range(5)]
    one = pb.ListAlertsRequest(alert_rule_id=page.alerts[0].alert_rule_id)
    assert len((await service.ListAlerts(one)).alerts) == 1
    none = pb.ListAlertsRequest(states=[pb.ALERT_STATE_RESOLVED])
    assert (await service.ListAlerts(none)).alerts == []
    (listed,) = (await service.ListChannels(pb.ListChannelsRequest())).channels
    assert listed.waiting_message_count == 5


async def test_health_shows_what_could_not_be_delivered(service, database, channel, sql):
    created = await create_channel(service)
    await create_rule(service, channelIds=[created.channel_id])
    await store_calls(database, NOW - 4 * MINUTE, failed=3)
    await make_evaluator(database).evaluate(NOW)
    await make_sender(database, Clock()).send()
    await sql.execute(
        "UPDATE alert_messages SET state = 'undelivered', last_error = 'gone', finish_time = now()"
    )
    health = await stub(HealthServiceStub, channel).Check(CheckRequest())
    assert health.undelivered_alert_message_count == 1
    (alert,) = (await service.ListAlerts(pb.ListAlertsRequest())).alerts
    assert (alert.deliveries[0].state, alert.deliveries[0].last_error) == (
        pb.DELIVERY_STATE_UNDELIVERED,
        "gone",
    )
    (listed,) = (await service.ListChannels(pb.ListChannelsRequest())).channels
    assert (listed.undelivered_message_count, listed.last_error) == (1, "gone")


async def test_projects_do_not_see_each_other(locked_channel, database):
    ours, theirs = await make_key(database, "admin"), await make_key(database, "admin", project="theirs")
    service = stub(AlertServiceStub, locked_channel)
    create = pb.CreateChannelRequest(channel=channel_of())
    made = (await service.CreateChannel(create, metadata=bearer(ours))).channel
    owned = rule(channelIds=[made.channel_id])
    request = pb.CreateAlertRuleRequest(alert_rule=owned)
    mine = (await service.CreateAlertRule(request, metadata=bearer(ours))).alert_rule
    planned = (
        await service.CreateBudget(pb.CreateBudgetRequest(budget=budget()), metadata=bearer(ours))
    ).budget
    cases = [
        ("CreateAlertRule", request, "CHANNEL_NOT_FOUND"),
        ("GetAlertRule", pb.GetAlertRuleRequest(alert_rule_id=mine.alert_rule_id), "ALERT_RULE_NOT_FOUND"),
        ("UpdateAlertRule", pb.UpdateAlertRuleRequest(alert_rule=mine), "ALERT_RULE_NOT_FOUND"),
        (
            "DeleteAlertRule",
            pb.DeleteAlertRuleRequest(alert_rule_id=mine.alert_rule_id),
            "ALERT_RULE_NOT_FOUND",
        ),
        ("GetBudget", pb.GetBudgetRequest(budget_id=planned.budget_id), "BUDGET_NOT_FOUND"),
        ("UpdateBudget", pb.UpdateBudgetRequest(budget=planned), "BUDGET_NOT_FOUND"),
        ("DeleteBudget", pb.DeleteBudgetRequest(budget_id=planned.budget_id), "BUDGET_NOT_FOUND"),
        ("TestChannel", pb.TestChannelRequest(channel_id=made.channel_id), "CHANNEL_NOT_FOUND"),
        ("DeleteChannel", pb.DeleteChannelRequest(channel_id=made.channel_id), "CHANNEL_NOT_FOUND"),
        (
            "UpdateChannel",
            pb.UpdateChannelRequest(channel=made, update_mask=FieldMask(paths=["display_name"])),
            "CHANNEL_NOT_FOUND",
        ),
    ]
    for method, message, reason in cases:
        assert await reason_of(call(locked_channel, f"AlertService/{method}", message, theirs)) == reason, (
            method
        )
    for method in ("ListAlertRules", "ListBudgets", "ListChannels", "ListAlerts"):
        response = await call(
            locked_channel, f"AlertService/{method}", getattr(pb, f"{method}Request")(), theirs
        )
        assert response.ByteSize() == 0, method


async def test_role_read_reads_and_does_not_write(locked_channel, database):
    secret = await make_key(database, "read")
    for method in ("ListAlertRules", "ListBudgets", "ListChannels", "ListAlerts"):
        await call(locked_channel, f"AlertService/{method}", getattr(pb, f"{method}Request")(), secret)
    for method in ("CreateAlertRule", "UpdateBudget", "TestChannel", "DeleteChannel"):
        running = call(locked_channel, f"AlertService/{method}", getattr(pb, f"{method}Request")(), secret)
        assert await reason_of(running) == "PERMISSION_DENIED"


@pytest.fixture
async def run(database_url, queue_settings, monkeypatch):
    """The command line, with a server that allows receivers on this machine."""
    allowed = NoticeSettings(allow_private=True)
    async with running_server(database_url, queue_settings, notices=allowed) as server:
        monkeypatch.setenv("LLM_OBSERVE_ENDPOINT", f"127.0.0.1:{server.port}")

        async def invoke(*words: str):
            return await asyncio.to_thread(CliRunner().invoke, cli, ("alerts", *words))

        yield invoke


async def test_the_command_line(run, database):
    async with running_receiver() as receiver:
        created = await run("channels", "create", "pager", "--webhook", receiver.url)
        channel_id, secret = created.stdout.split()
        assert (await run("channels", "test", channel_id)).output == "delivered\n"
        assert receiver.requests[0].json["alerts"][0]["labels"]["alertname"] == "Test"
        receiver.answers.append(500)
        failed = await run("channels", "test", channel_id)
        assert isinstance(failed.exception, StackError)
        assert str(failed.exception) == "not delivered: the receiver answered 500"
    listed = (await run("channels", "list")).output
    assert "127.0.0.1" in listed
    assert "s3cret" not in listed
    assert secret not in listed
    words = (
        "--metric",
        "cost",
        "--above",
        "0.00001",
        "--window",
        "1h",
        "--by",
        "model",
        "--channel",
        channel_id,
    )
    rule_id = (await run("rules", "create", "Dear", *words)).output.strip()
    assert "cost > $1e-05" in (await run("rules", "list")).output
    await store_calls(database, NOW - 4 * MINUTE, ok=1)
    assert (await run("rules", "test", rule_id)).output == "gpt-4o-mini\t$1.35e-05\t1\tyes\n"
    await make_evaluator(database).evaluate(NOW)
    assert "Dear\tcost of gpt-4o-mini is $1.35e-05 over 1 hour" in (await run("list")).output
    budget_id = (
        await run("budgets", "create", "Month", "--month", "500", "--model", "gpt-4o-mini")
    ).output.strip()
    assert "$500.00 a month\t$0.00 (0%)" in (await run("budgets", "list")).output
    assert (await run("rules", "disable", rule_id)).output == "disabled\n"
    assert (await run("rules", "enable", rule_id)).output == "enabled\n"
    assert "use the notification channel" in str((await run("channels", "delete", channel_id)).exception)
    for group, made in (("rules", rule_id), ("budgets", budget_id), ("channels", channel_id)):
        assert (await run(group, "delete", made)).output == "deleted\n"
    assert "Dear" in (await run("list", "--past")).output
    assert "nothing fires" in (await run("list")).output


async def test_the_command_line_says_what_is_wrong(run):
    for words in (
        ("rules", "create", "x", "--metric", "cost"),
        ("rules", "create", "x", "--metric", "cost", "--above", "1", "--below", "2"),
        ("rules", "create", "x", "--metric", "cost", "--above", "1", "--window", "5"),
        ("budgets", "create", "x"),
        ("budgets", "create", "x", "--day", "1", "--week", "2"),
        ("channels", "create", "x"),
        ("channels", "create", "x", "--slack", "https://a.example", "--email", "a@b.c"),
    ):
        assert (await run(*words)).exit_code == 2, words
    result = await run("rules", "delete", NOBODY)
    assert str(result.exception) == "alert rule not found"
