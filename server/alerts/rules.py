"""The part of AlertService that keeps and evaluates rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llm_observe.v1 import alert_service_pb2 as pb

from analytics.alerts.rules import RuleReader
from server.alerts.base import AlertBase, channel_errors
from server.alerts.convert import rule_of_spec, to_evaluation, to_rule
from server.alerts.errors import AlertRuleNotFound
from server.alerts.parse import MAX_NAME_CHARS, RULE_FIELDS, check_mask, merge, parse_rule
from server.rpc.auth import caller
from server.rpc.checks import parse_uuid
from server.rpc.errors import QueueIsUnavailable
from storage.alert_rules import RULES
from worker.queue.log_queue import QueueUnavailable, queue_stats

if TYPE_CHECKING:
    from server.rpc.context import Context
    from storage.alert_rules import RuleSpec


class RuleService(AlertBase):
    """Rules."""

    async def CreateAlertRule(
        self, request: pb.CreateAlertRuleRequest, context: Context
    ) -> pb.CreateAlertRuleResponse:
        spec = self._parse(request.alert_rule)
        with channel_errors("alert_rule"):
            row = await RULES.create(self._database, caller().project_id, spec)
        return pb.CreateAlertRuleResponse(alert_rule=to_rule(row))

    async def GetAlertRule(
        self, request: pb.GetAlertRuleRequest, context: Context
    ) -> pb.GetAlertRuleResponse:
        rule_id = parse_uuid("alert_rule_id", request.alert_rule_id)
        row = await RULES.get(self._database, caller().project_id, rule_id)
        if row is None:
            raise AlertRuleNotFound(str(rule_id))
        return pb.GetAlertRuleResponse(alert_rule=to_rule(row))

    async def ListAlertRules(
        self, request: pb.ListAlertRulesRequest, context: Context
    ) -> pb.ListAlertRulesResponse:
        rows = await RULES.list(self._database, caller().project_id)
        return pb.ListAlertRulesResponse(alert_rules=map(to_rule, rows))

    async def UpdateAlertRule(
        self, request: pb.UpdateAlertRuleRequest, context: Context
    ) -> pb.UpdateAlertRuleResponse:
        rule_id = parse_uuid("alert_rule.alert_rule_id", request.alert_rule.alert_rule_id)
        fields = check_mask(request.update_mask, RULE_FIELDS)

        def change(present: RuleSpec) -> RuleSpec:
            rule = rule_of_spec(present)
            merge(rule, request.alert_rule, fields)
            return self._parse(rule)

        with channel_errors("alert_rule"):
            row = await RULES.update(self._database, caller().project_id, rule_id, change)
        if row is None:
            raise AlertRuleNotFound(str(rule_id))
        return pb.UpdateAlertRuleResponse(alert_rule=to_rule(row))

    async def DeleteAlertRule(
        self, request: pb.DeleteAlertRuleRequest, context: Context
    ) -> pb.DeleteAlertRuleResponse:
        rule_id = parse_uuid("alert_rule_id", request.alert_rule_id)
        now = datetime.now(UTC)
        if not await RULES.delete(self._database, caller().project_id, rule_id, now=now):
            raise AlertRuleNotFound(str(rule_id))
        return pb.DeleteAlertRuleResponse()

    async def EvaluateAlertRule(
        self, request: pb.EvaluateAlertRuleRequest, context: Context
    ) -> pb.EvaluateAlertRuleResponse:
        spec = self._parse(request.alert_rule)
        reader = RuleReader(self._reads, self._queue_age)
        return to_evaluation(await reader.evaluate(caller().project_id, spec, datetime.now(UTC)))

    def _parse(self, rule: pb.AlertRule) -> RuleSpec:
        checked = pb.AlertRule()
        checked.CopyFrom(rule)
        checked.display_name = self._redactor.preview(rule.display_name, MAX_NAME_CHARS + 1)
        return parse_rule(checked)

    async def _queue_age(self) -> float:
        try:
            stats = await queue_stats(self._broker)
        except QueueUnavailable:
            raise QueueIsUnavailable from None
        return stats.oldest_age_s or 0.0
