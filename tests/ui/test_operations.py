"""The page Operations: what it says, what it offers, and what it changes."""

from __future__ import annotations

import pytest
from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import alert_service_pb2 as alerts
from llm_observe.v1 import export_service_pb2 as export
from llm_observe.v1 import health_service_pb2 as health

from server.rpc.errors import PermissionDenied, QueueIsUnavailable
from streamlit_app.data.queue_history import HISTORY
from tests.support.loading_markdown import LOADING
from tests.support.ui.app import UNHURRIED_S, choose_timeout, page
from tests.support.ui.operations_sample import add_history, dead_letters, serve_operations

TABS = ["delivery", "alerts", "storage", "keys"]
HURRIED_S = "0.2"


@pytest.fixture
def operations(connected):
    """The sample, with a few things gone wrong."""
    serve_operations(connected)
    HISTORY.clear()
    add_history(HISTORY)
    yield connected
    HISTORY.clear()


def said(app) -> str:
    """Return all words of the page."""
    parts = [app.header, app.markdown, app.caption, app.info, app.warning, app.error, app.text, app.toast]
    return " ".join(element.value for part in parts for element in part).replace("\\", "")


def numbers(app) -> dict[str, str]:
    return {metric.label.split("] ")[-1]: metric.value for metric in app.metric}


@pytest.mark.parametrize("tab", TABS)
def test_every_part_is_shown(tab, operations):
    app = page("operations", tab=tab).run()
    assert not app.exception
    assert not app.error
    assert "1 batch never arrived. Producers dropped 41 logs." in said(app)
    assert len(app.dataframe) >= 1


def test_the_ledger_is_a_sum(operations):
    app = page("operations").run()
    shown = {
        name: int(value.lstrip("=+ ").replace(",", ""))
        for name, value in numbers(app).items()
        if "," in value or "+" in value
    }
    logged = shown.pop("Logged")
    assert logged == sum(shown.values())
    assert shown["Dropped"] == 41
    assert shown["Dead"] == 24


def test_dead_letters_are_grouped_by_reason(operations):
    app = page("operations").run()
    table = next(one.value for one in app.dataframe if "Reason" in one.value.columns)
    assert list(table["Reason"]) == ["failed:QueryCanceledError", "invalid_content", "killed_worker"]
    assert list(table["Dead letters"]) == [5, 2, 1]
    assert list(table["Logs"]) == [15, 6, 3]


# -- changes -----------------------------------------------------------------------------------------------


def replaying(request: admin.ReplayDeadLettersRequest) -> list[admin.ReplayDeadLettersResponse]:
    total = len(request.filter.dead_letter_ids)
    return [
        admin.ReplayDeadLettersResponse(replayed_count=done, total_count=total) for done in range(total + 1)
    ]


def discarding(request: admin.DiscardDeadLettersRequest) -> admin.DiscardDeadLettersResponse:
    return admin.DiscardDeadLettersResponse(discarded_count=len(request.filter.dead_letter_ids))


@pytest.mark.parametrize(
    ("button", "method", "answer", "done"),
    [
        ("replay_all", "ReplayDeadLetters", replaying, "8 dead letters queued again"),
        ("discard_all", "DiscardDeadLetters", discarding, "8 dead letters discarded"),
    ],
)
def test_a_change_names_its_number_and_happens_once_confirmed(button, method, answer, done, operations):
    operations.answers[f"AdminService.{method}"] = answer
    app = page("operations").run()
    app.button(button).click().run()
    assert "8 dead letters with 24 logs" in said(app)
    assert not operations.requests_to(f"AdminService.{method}")
    app.button("dialog_confirm").click().run()
    assert not app.exception
    (request,) = operations.requests_to(f"AdminService.{method}")
    assert list(request.filter.dead_letter_ids) == [letter.dead_letter_id for letter in dead_letters()]
    assert done in said(app)


@pytest.mark.parametrize("button", ["replay_all", "discard_all"])
def test_a_change_can_be_cancelled(button, operations):
    app = page("operations").run()
    app.button(button).click().run()
    app.button("dialog_cancel").click().run()
    assert not app.exception
    asked = {name for name, _ in operations.requests}
    assert not asked & {"AdminService.ReplayDeadLetters", "AdminService.DiscardDeadLetters"}


def test_a_failed_replay_says_why(operations):
    operations.answers["AdminService.ReplayDeadLetters"] = QueueIsUnavailable()
    app = page("operations").run()
    app.button("replay_all").click().run()
    app.button("dialog_confirm").click().run()
    assert "QUEUE_UNAVAILABLE" in said(app)


def test_settled_dead_letters_cannot_be_changed(operations):
    app = page("operations", dead="discarded").run()
    assert not [button for button in app.button if button.key in {"replay_all", "discard_all"}]


def name_in_dialog(app):
    return next(box for box in app.text_input if box.label == "Name" and box.key != "link_name")


def test_a_secret_is_shown_once(operations):
    secret = "made up, shown once"
    operations.answers["AdminService.CreateApiKey"] = admin.CreateApiKeyResponse(secret=secret)
    app = page("operations", tab="keys").run()
    app.button("new_key").click().run()
    name_in_dialog(app).input("billing")
    submit = next(button for button in app.button if button.label == "Make the key")
    submit.click().run()
    assert not app.exception
    assert secret in [code.value for code in app.code]
    (request,) = operations.requests_to("AdminService.CreateApiKey")
    assert (request.project_id, request.display_name) == ("default", "billing")
    assert list(request.roles) == [admin.API_KEY_ROLE_INGEST]
    app.button("key_done").click().run()
    assert secret not in [code.value for code in app.code]
    assert secret not in repr(app.session_state)


def test_a_key_needs_a_name(operations):
    app = page("operations", tab="keys").run()
    app.button("new_key").click().run()
    next(button for button in app.button if button.label == "Make the key").click().run()
    assert "A key needs a name" in said(app)
    assert not operations.requests_to("AdminService.CreateApiKey")


def test_a_rule_is_made_in_the_units_of_its_metric(operations):
    operations.answers["AlertService.CreateAlertRule"] = alerts.CreateAlertRuleResponse()
    app = page("operations", tab="alerts").run()
    app.button("new_rule").click().run()
    name_in_dialog(app).input("Errors")
    app.number_input[0].set_value(7.5)
    app.button("dialog_confirm").click().run()
    assert not app.exception
    (request,) = operations.requests_to("AlertService.CreateAlertRule")
    assert request.alert_rule.metric == alerts.ALERT_METRIC_ERROR_RATE
    assert request.alert_rule.threshold == pytest.approx(0.075)
    assert request.alert_rule.window.seconds == 300
    assert "Rule Errors made" in said(app)


def test_a_budget_is_made_in_dollars(operations):
    operations.answers["AlertService.CreateBudget"] = alerts.CreateBudgetResponse()
    app = page("operations", tab="alerts").run()
    app.button("new_budget").click().run()
    name_in_dialog(app).input("All")
    app.number_input[0].set_value(12.5)
    app.button("dialog_confirm").click().run()
    (request,) = operations.requests_to("AlertService.CreateBudget")
    assert request.budget.amount_nano_usd == 12_500_000_000
    assert request.budget.period == alerts.BUDGET_PERIOD_MONTH


def test_an_export_is_of_the_window(operations):
    operations.answers["ExportService.CreateExport"] = export.CreateExportResponse()
    app = page("operations", tab="storage", window="7d").run()
    app.button("new_export").click().run()
    app.button("dialog_confirm").click().run()
    (request,) = operations.requests_to("ExportService.CreateExport")
    window = request.time_range.end_time.seconds - request.time_range.start_time.seconds
    assert 6.9 * 86_400 < window <= 7.1 * 86_400
    assert request.request_id
    assert "Export queued" in said(app)


# -- states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", TABS)
def test_a_missing_role_is_told_in_words(tab, operations):
    for name in list(operations.answers):
        if not name.startswith("HealthService"):
            operations.answers[name] = PermissionDenied(["admin"])
    app = page("operations", tab=tab).run()
    assert not app.exception
    assert not app.error
    (info,) = app.info
    assert "needs the role admin" in info.value
    assert "14 batches in the queue" in said(app)  # health needs no role
    assert not [
        button for button in app.button if button.key in {"replay_all", "new_key", "new_rule", "new_export"}
    ]


def test_a_role_that_may_only_read_alerts_sees_them(operations):
    for name in list(operations.answers):
        if name.startswith(("AdminService", "ExportService")):
            operations.answers[name] = PermissionDenied(["admin"])
    app = page("operations", tab="alerts").run()
    assert not app.info
    assert len(app.dataframe) == 3


@pytest.mark.parametrize("tab", TABS)
def test_a_hanging_server_leaves_what_was_shown(tab, operations, monkeypatch):
    app = page("operations", tab=tab).run()
    shown = [frame.value.to_dict() for frame in app.dataframe]
    operations.hang()
    choose_timeout(monkeypatch, HURRIED_S)
    app.run()
    assert not app.exception
    assert "Stale since" in said(app)
    assert [frame.value.to_dict() for frame in app.dataframe] == shown
    operations.resume()
    choose_timeout(monkeypatch, UNHURRIED_S)
    app.run()
    assert not app.warning


def test_nothing_was_ever_sent(connected):
    connected.answers["AdminService.QueryLedger"] = admin.QueryLedgerResponse()
    connected.answers["AdminService.ListDeadLetters"] = admin.ListDeadLettersResponse()
    connected.answers["AdminService.GetQueueStats"] = admin.GetQueueStatsResponse()
    app = page("operations").run()
    assert not app.exception
    assert "Nothing was sent in this window. Queue empty. 1 worker." in said(app)
    assert "No producer sent anything" in said(app)
    assert "None is waiting" in said(app)


@pytest.mark.parametrize("tab", ["alerts", "storage", "keys"])
def test_empty_lists_say_what_they_are_for(tab, connected):
    connected.answers |= {
        "AlertService.ListAlertRules": alerts.ListAlertRulesResponse(),
        "AlertService.ListBudgets": alerts.ListBudgetsResponse(),
        "AlertService.ListAlerts": alerts.ListAlertsResponse(),
        "AlertService.ListChannels": alerts.ListChannelsResponse(),
        "ExportService.ListExports": export.ListExportsResponse(),
        "AdminService.ListApiKeys": admin.ListApiKeysResponse(),
    }
    app = page("operations", tab=tab).run()
    assert not app.exception
    assert {"alerts": "No rule yet", "storage": "No export yet", "keys": "No key yet"}[tab] in said(app)


@pytest.mark.parametrize(
    "method", ["AdminService.QueryLedger", "AdminService.ListDeadLetters", "AdminService.GetQueueStats"]
)
def test_an_error_of_one_part_stays_in_it(method, operations):
    operations.answers[method] = QueueIsUnavailable()
    app = page("operations").run()
    assert not app.exception
    assert not app.error
    assert "14 batches in the queue" in said(app)


def test_without_redis_and_postgres_the_page_says_so(operations):
    answer = health.CheckResponse(state=health.HEALTH_STATE_UNHEALTHY)
    answer.dependencies.add(name="redis", state=health.HEALTH_STATE_UNHEALTHY, message="connection refused")
    operations.answers["HealthService.Check"] = answer
    app = page("operations").run()
    assert not app.exception
    assert "Redis does not work: connection refused. " in said(app)
    assert "The queue cannot be seen" in said(app)


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("hostile", [LOADING["image"], LOADING["img"]])
def test_texts_of_others_are_no_markup(tab, hostile, operations):
    """Names and messages end up in tables and dialogs: neither breaks the page."""
    letter = dead_letters()[0]
    letter.reason = letter.message = letter.producer_id = hostile
    operations.answers["AdminService.ListDeadLetters"] = admin.ListDeadLettersResponse(dead_letters=[letter])
    operations.answers["AdminService.ListProjects"] = admin.ListProjectsResponse(
        projects=[admin.Project(project_id="default", display_name=hostile)]
    )
    app = page("operations", tab=tab).run()
    assert not app.exception
    assert not [element for element in app.markdown if hostile in element.value]
