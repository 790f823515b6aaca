"""The Analytics page: what is asked, what is shown, and what it says where there is no answer."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest
from llm_observe.v1 import export_service_pb2 as exports
from llm_observe.v1 import report_service_pb2 as pb
from pyarrow import parquet

from analytics.reports.catalogue import reports
from analytics.result_files import to_csv, to_parquet
from server.reports.errors import LakeIsBehind, SqlTookTooMuch
from server.rpc.errors import PermissionDenied, QueryTookTooLong, ServerIsBusy
from streamlit_app.data.connection import ServerError
from streamlit_app.panels.report_gallery import topics
from streamlit_app.panels.sql_box import EXAMPLES, wrong_line
from streamlit_app.state.questions import MAX_URL_CHARS
from tests.support.ui.app import UNHURRIED_S, choose_timeout, page

HURRIED_S = "0.2"
COUNT = "SELECT count(*) AS calls FROM logs"


def texts(elements) -> str:
    return " ".join(element.value.replace("\\", "") for element in elements)


def everything(app) -> str:
    return " ".join(map(texts, (app.header, app.caption, app.markdown, app.error, app.warning, app.info)))


def asked(server, method: str = "RunReport"):
    return server.requests_to(f"ReportService.{method}")


def open_sql(sql: str, **query):
    return page("analytics", tab="sql", sql=sql, **query)


def test_the_gallery_has_every_report_once(connected):
    app = page("analytics").run()
    assert not app.exception
    for report in reports().values():
        assert report.answers in texts(app.caption)
    assert not asked(connected)
    placed = [report.name for members in topics(sample_reports()).values() for report in members]
    assert sorted(placed) == sorted(reports())
    assert "More" not in topics(sample_reports())


def sample_reports() -> dict[str, pb.Report]:
    return {name: pb.Report(name=name, title=each.title) for name, each in reports().items()}


def test_a_report_of_a_newer_server_is_shown_too():
    new = sample_reports() | {"newer": pb.Report(name="newer")}
    assert [report.name for report in topics(new)["More"]] == ["newer"]


@pytest.mark.parametrize("name", reports())
def test_every_report_is_drawn(name, connected):
    app = page("analytics", report=name, window="30d").run()
    assert not app.exception
    assert not app.error
    (request,) = asked(connected)
    assert (request.name, dict(request.parameters)) == (name, {})
    if name == "retry-storms":  # the sample has none
        assert "No calls in this window" in everything(app)
        return
    assert app.dataframe[0].value.shape[1] == len(reports()[name].columns)
    if len(app.dataframe[0].value) > 1:
        assert len(app.get("vega_lite_chart")) == 1
    assert "727 of 728 hours from Parquet files, to 25 Nov 15:00" in everything(app)


def test_parameters_are_widgets_and_stay_in_the_url(connected):
    app = page("analytics", report="latency-percentiles", window="7d").run()
    assert [box.label for box in app.selectbox][:2] == ["Measure", "Group by"]
    assert list(app.selectbox[1].options)[:3] == ["all", "provider", "model"]
    app.selectbox(key="parameter_latency-percentiles_dimension").select("user").run()
    app.number_input(key="parameter_latency-percentiles_limit").set_value(3).run()
    assert app.query_params["set-dimension"] == "user"
    request = asked(connected)[-1]
    assert dict(request.parameters) == {"dimension": "user", "limit": "3"}
    assert len(app.dataframe[0].value) == 3
    assert "User" in app.dataframe[0].value.columns
    app.selectbox(key="parameter_latency-percentiles_dimension").select("metadata").run()
    assert "Metadata key" in [box.label for box in app.text_input]


def test_a_value_that_the_server_refuses_is_explained(connected):
    app = page("analytics", report="cost", **{"set-limit": "0"}).run()
    assert "must be from 1 to 10000" in texts(app.error)
    assert not app.dataframe


def test_numbers_stay_numbers_in_units_that_people_read(connected):
    app = page("analytics", report="latency-percentiles", window="30d").run()
    frame = app.dataframe[0].value
    assert frame["p95"].dtype == float
    assert 100 < frame["p95"].max() < 20_000  # milliseconds
    cost = page("analytics", report="cost", window="30d").run().dataframe[0].value
    assert 0 < cost["Cost"].sum() < 100  # dollars
    assert {"Model", "p95 latency"} <= set(page("analytics", report="hours-of-day").run().dataframe[0].value)


def test_a_click_elsewhere_does_not_ask_again_and_refresh_does(connected):
    app = page("analytics", report="hours-of-day", window="7d").run()
    app.selectbox(key="result_measure").select("request_count").run()
    assert app.query_params["y"] == "request_count"
    assert len(asked(connected)) == 1
    app.button("refresh").click().run()
    assert len(asked(connected)) == 2
    app.query_params["window"] = "30d"
    app.run()
    assert len(asked(connected)) == 3


def test_the_chart_can_be_another_one_or_none(connected):
    app = page("analytics", report="hours-of-day", chart="lines").run()
    assert '"type": "line"' in app.get("vega_lite_chart")[0].proto.spec
    app = page("analytics", report="hours-of-day", chart="none").run()
    assert not app.get("vega_lite_chart")
    assert app.dataframe


def test_open_as_sql_finds_the_same(connected):
    app = page("analytics", report="cost", window="7d", **{"set-dimension": "model"}).run()
    before = app.dataframe[0].value
    app.button[[each.label for each in app.button].index("Open as SQL")].click().run()
    assert not app.exception
    assert not app.error
    assert "report" not in app.query_params
    assert app.query_params["tab"] == "sql"
    after = app.dataframe[0].value
    assert list(after["request_count"]) == list(before["Requests"])


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_run(name, connected):
    app = open_sql(EXAMPLES[name], window="30d").run()
    assert not app.exception
    assert not app.error
    assert len(app.dataframe[0].value)
    app.button(f"example_{name}").click().run()
    assert not app.exception


def test_sql_is_run_once_and_listed_in_the_history(connected):
    app = open_sql(COUNT).run()
    assert app.dataframe[0].value["calls"].iloc[0] > 100
    assert [request.sql for request in asked(connected, "RunSql")] == [COUNT]
    assert COUNT.replace("  ", " ") in [button.label.replace("\\", "") for button in app.button]
    assert "10,000 rows, 16 MB and 10 s" in texts(app.caption)


def test_nothing_is_run_before_somebody_asks(connected):
    app = page("analytics", tab="sql").run()
    assert not app.exception
    assert not asked(connected, "RunSql")
    assert not app.dataframe


def test_a_long_statement_stays_out_of_the_url(connected):
    long = f"SELECT 1 AS one /* {'x' * MAX_URL_CHARS} */"
    app = open_sql(COUNT).run()
    app.session_state["sql_history"][0] = app.session_state["sql_history"][0]._replace(sql=long)
    app.run()
    app.button("history_0").click().run()
    assert "sql" not in app.query_params
    assert "Too long for a link" in texts(app.caption)
    assert list(app.dataframe[0].value["one"]) == [1]


@pytest.mark.parametrize(
    ("sql", "reason", "words"),
    [
        ("SELECT model\nFROM logs\nWHERE nothing = 1", "SQL_FAILED", "has a mistake"),
        ("DROP TABLE logs", "SQL_REFUSED", "read-only"),
        ("SELECT 1; SELECT 2", "SQL_REFUSED", "one at a time"),
        ("SELECT * FROM read_csv('/etc/passwd')", "SQL_REFUSED", "no files"),
    ],
)
def test_a_refused_statement_says_why_and_where(sql, reason, words, connected):
    app = open_sql(sql).run()
    assert not app.exception
    assert reason in texts(app.error)
    assert words in texts(app.error)
    assert len(asked(connected, "RunSql")) == 1
    if reason == "SQL_FAILED":
        assert "LINE 3" in texts(app.code)
        (editor,) = app.get("bidi_component")
        assert '"wrong_line": 3' in editor.proto.json or '"wrong_line":3' in editor.proto.json
    app.run()
    assert len(asked(connected, "RunSql")) == 1  # it would say the same


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ('Parser Error: syntax error at or near "nothing"\n\nLINE 2: FROM logs', 2),
        ('Binder Error: Referenced column "nothing" not found in FROM clause!\nCandidates: "model"', 3),
        ("Catalog Error: Scalar Function with name coun does not exist!", 1),
        ("There is no table Logs. Logs are in the view logs.", 2),
        ('Referenced column "elsewhere" not found', 0),
        ("Conversion Error: no number", 0),
    ],
)
def test_the_line_of_a_mistake_is_found(message, line):
    sql = "SELECT coun(*)\nFROM logs\nWHERE nothing = 1"
    assert wrong_line(ServerError(message, "SQL_FAILED"), sql) == line
    refused = wrong_line(ServerError(message, "SQL_REFUSED"), sql)
    assert refused == (line if "LINE" in message else 0)


@pytest.mark.parametrize("error", [SqlTookTooMuch("time", "It takes too long."), QueryTookTooLong()])
def test_a_limit_is_told_of(error, connected):
    connected.answers["ReportService.RunSql"] = error
    app = open_sql(COUNT).run()
    assert not app.exception
    assert len(app.error) == 1
    assert not app.dataframe


def test_an_answer_that_was_cut_says_so(connected):
    app = open_sql("SELECT range FROM range(20000)").run()
    assert "Cut after 10,000 rows" in texts(app.warning)


def test_texts_are_shown_as_they_are(connected):
    hostile = "![x](http://evil.example/leak) **bold**"
    app = open_sql(f"SELECT '{hostile}' AS text, 1 AS \"![y](http://evil.example/y)\"").run()
    assert app.dataframe[0].value["text"].iloc[0] == hostile
    for element in [*app.markdown, *app.caption, *app.header]:
        assert "![" not in element.value


@pytest.mark.parametrize(
    "expression",
    [
        "CAST(9223372036854775807 AS HUGEINT) * 4", "1.50::DECIMAL(9, 2)", "'2026-11-25'::DATE",
        "'25000-01-01'::TIMESTAMP", "'99999-01-01'::DATE", "[1, 2]", "{'a': 1}", "MAP {'a': 'b'}", "TRUE",
        "INTERVAL 1 DAY", "'x'::BLOB", "NULL",
        "'nan'::DOUBLE", "uuid()", "TIME '10:00'", "'infinity'::TIMESTAMPTZ",
    ],
)  # fmt: skip
def test_values_of_any_type_are_shown(expression, connected):
    app = open_sql(f"SELECT {expression} AS a, {expression} AS a, 7 AS b FROM range(3)").run()
    assert not app.exception
    assert not app.error
    assert app.dataframe[0].value.shape == (3, 3)


def test_an_export_that_is_missing_can_be_made_by_an_admin(connected):
    connected.answers["ReportService.RunReport"] = LakeIsBehind("200,000 logs", has_lake=True)
    created: list[exports.CreateExportRequest] = []

    def create(request):
        created.append(request)
        return exports.CreateExportResponse(export=exports.Export(state=exports.EXPORT_STATE_QUEUED))

    connected.answers["ExportService.CreateExport"] = create
    app = page("analytics", report="cost", window="7d").run()
    assert "Not exported yet" in texts(app.info)
    assert "12 files, 412 logs, 3.1 MB" in texts(app.caption)
    app.button("export_now").click().run()
    assert not app.exception
    assert len(created) == 1
    assert created[0].time_range == asked(connected)[0].time_range


def test_without_the_role_nobody_is_offered_an_export(connected):
    connected.answers["ReportService.RunReport"] = LakeIsBehind("200,000 logs", has_lake=True)
    connected.answers["ExportService.ListExports"] = PermissionDenied(["admin"])
    app = page("analytics", report="cost").run()
    assert "role admin" in texts(app.caption)
    assert "export_now" not in [button.key for button in app.button]
    assert not app.error


@pytest.mark.parametrize(("tab", "method"), [("reports", "ListReports"), ("sql", "DescribeTables")])
def test_a_key_without_the_role_is_told_which_one_it_needs(tab, method, connected):
    connected.answers[f"ReportService.{method}"] = PermissionDenied(["read"])
    app = page("analytics", tab=tab).run()
    assert not app.exception
    assert "required role: read" in texts(app.error)
    assert len(app.error) == 1


def test_a_busy_server_can_be_asked_again(connected):
    answer = connected.answers["ReportService.RunReport"]
    connected.answers["ReportService.RunReport"] = ServerIsBusy("other questions are being answered")
    app = page("analytics", report="cost").run()
    assert "ther questions are being answered" in texts(app.error)
    connected.answers["ReportService.RunReport"] = answer
    app.button("retry_SERVER_BUSY").click().run()
    assert not app.error
    assert app.dataframe


def test_a_hanging_server_leaves_the_last_answer_with_a_bar(connected, monkeypatch):
    app = page("analytics", report="cost", window="7d").run()
    rows = len(app.dataframe[0].value)
    connected.hang()
    choose_timeout(monkeypatch, HURRIED_S)
    app.run()
    assert "Stale since 15:21:04" in texts(app.warning)
    assert len(app.dataframe[0].value) == rows
    connected.resume()
    choose_timeout(monkeypatch, UNHURRIED_S)
    app.button("retry").click().run()
    assert not app.warning
    assert len(app.dataframe[0].value) == rows


@pytest.mark.parametrize("tab", ["reports", "sql"])
def test_a_server_that_never_answered_is_told_of_once(tab, connected, monkeypatch):
    connected.hang()
    choose_timeout(monkeypatch, HURRIED_S)
    app = page("analytics", tab=tab, sql=COUNT).run()
    assert len(app.error) == 1
    assert "No answer from" in texts(app.error)


def test_an_unknown_report_is_named_above_those_that_there_are(connected):
    app = page("analytics", report="![x](y)").run()
    assert "There is no report ![x](y)" in texts(app.warning)
    assert len(app.header) > 3


def test_a_question_without_rows_offers_a_longer_window(connected):
    app = page("analytics", report="retry-storms", window="24h").run()
    assert "No calls in this window" in everything(app)
    assert "Look at the last 30 days" in [button.label for button in app.button]


def test_the_call_can_be_copied_without_a_key(connected, monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_UI_API_KEY", "lo_" + "x" * 20)
    choose_timeout(monkeypatch, UNHURRIED_S)
    app = open_sql("SELECT 'it''s' AS a").run()
    shown = texts(app.code)
    assert "llm_observe.v1.ReportService/RunSql" in shown
    assert "$LLM_OBSERVE_API_KEY" in shown
    assert "xxxx" not in shown


def test_files_hold_what_is_shown():
    table = pa.table({"=a": ["=1+1", None], "n": [1, 2], "map": [{"k": 1}, None]})
    rows = list(csv.reader(io.StringIO(to_csv(table).decode())))
    assert rows == [["'=a", "n", "map"], ["'=1+1", "1", '{"k": 1}'], ["", "2", ""]]
    assert parquet.read_table(io.BytesIO(to_parquet(table))).equals(table)
