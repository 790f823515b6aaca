"""AlertService: rules, budgets, channels, and the alerts that came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from llm_observe.v1 import alert_service_pb2 as pb

from server.alerts.budgets import BudgetService
from server.alerts.channels import ChannelService
from server.alerts.convert import to_alert
from server.alerts.rules import RuleService
from server.rpc.auth import caller
from server.rpc.checks import parse_limit, parse_uuid, parse_words
from server.rpc.paging import Page, read_cursor
from storage import alerts

if TYPE_CHECKING:
    from server.rpc.context import Context

_PAGE_SIZE: Final = 50
_MAX_PAGE_SIZE: Final = 1000
_OPEN: Final = ("pending", "firing")


class AlertService(RuleService, BudgetService, ChannelService):
    """See alert_service.proto."""

    async def ListAlerts(self, request: pb.ListAlertsRequest, context: Context) -> pb.ListAlertsResponse:
        size = parse_limit("page_size", request.page_size, default=_PAGE_SIZE, maximum=_MAX_PAGE_SIZE)
        cursor = read_cursor(request, request.page_token, UUID)
        rows = await alerts.list_alerts(
            self._database,
            caller().project_id,
            states=parse_words("states", request.states, pb.AlertState) or _OPEN,
            source_ids=_parse_sources(request),
            before_id=cursor[0] if cursor else None,
            row_limit=size + 1,
        )
        page = Page.of(rows, size, request, lambda row: (str(row.alert_id),))
        deliveries = await alerts.list_deliveries(self._database, page.rows)
        return pb.ListAlertsResponse(
            alerts=[to_alert(row, deliveries) for row in page.rows], next_page_token=page.next_page_token
        )


def _parse_sources(request: pb.ListAlertsRequest) -> list[UUID] | None:
    """Return the rules and budgets whose alerts are asked for; None for all."""
    fields = ("alert_rule_id", "budget_id")
    return [parse_uuid(field, getattr(request, field)) for field in fields if getattr(request, field)] or None
