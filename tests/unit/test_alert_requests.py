"""What rules and budgets may say, and the sentences for what they may not."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from llm_observe.v1 import alert_service_pb2 as pb

from server.alerts.parse import parse_budget, parse_rule
from server.rpc.errors import InvalidField


def problem_of(error):
    ((_, problem),) = error.value.violations
    return problem


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"metric": 99}, "must be one of ERROR_RATE, "),
        ({"comparison": 99}, "must be one of ABOVE, BELOW"),
        ({"severity": -1}, "must be one of INFO, "),
        ({"window": Duration(seconds=1)}, "must be whole seconds, from 5 minutes to 31 days"),
        ({"for_duration": Duration(seconds=-1)}, "must be whole seconds, from 0 seconds to 1 day"),
        ({"keep_duration": Duration(nanos=1)}, "must be whole seconds, from 1 minute to 1 day"),
        ({"threshold": float("nan")}, "must be a finite number"),
    ],
)
def test_what_a_rule_may_not_say(changes, problem):
    rule = pb.AlertRule(display_name="r", **{"metric": pb.ALERT_METRIC_COST, **changes})
    with pytest.raises(InvalidField) as error:
        parse_rule(rule)
    assert problem_of(error).startswith(problem)


def budget_in(time_zone):
    return pb.Budget(display_name="b", period=pb.BUDGET_PERIOD_DAY, amount_nano_usd=1, time_zone=time_zone)


@pytest.mark.parametrize(
    "name", ["", "UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "EST5EDT", "Pacific/Apia"]
)
def test_time_zones_have_their_iana_names(name):
    assert parse_budget(budget_in(name)).time_zone == (name or "UTC")


@pytest.mark.parametrize(
    "name",
    [
        "Mars/Phobos", "Europe", "../../etc/passwd", "/etc/localtime", ".", "localtime", "posixrules",
        "Factory", "right/Europe/Berlin", "posix/Europe/Berlin", "tzdata.zi",
    ],
)  # fmt: skip
def test_what_is_no_time_zone_or_differs_between_machines_is_refused(name):
    with pytest.raises(InvalidField) as error:
        parse_budget(budget_in(name))
    assert problem_of(error) == "must be the IANA name of a time zone"
