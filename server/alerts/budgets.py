"""The part of AlertService that keeps budgets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from llm_observe.v1 import alert_service_pb2 as pb

from analytics.alerts.budgets import read_budget
from server.alerts.base import AlertBase, channel_errors
from server.alerts.convert import budget_of_spec, to_budget, to_budget_status
from server.alerts.errors import BudgetNotFound
from server.alerts.parse import BUDGET_FIELDS, MAX_NAME_CHARS, check_mask, merge, parse_budget
from server.rpc.auth import caller
from server.rpc.checks import parse_uuid
from storage.budgets import BUDGETS

if TYPE_CHECKING:
    from server.rpc.context import Context
    from storage.budgets import BudgetSpec


class BudgetService(AlertBase):
    """Budgets."""

    async def CreateBudget(
        self, request: pb.CreateBudgetRequest, context: Context
    ) -> pb.CreateBudgetResponse:
        spec = self._parse_budget(request.budget)
        with channel_errors("budget"):
            row = await BUDGETS.create(self._database, caller().project_id, spec)
        return pb.CreateBudgetResponse(budget=to_budget(row))

    async def GetBudget(self, request: pb.GetBudgetRequest, context: Context) -> pb.GetBudgetResponse:
        budget_id = parse_uuid("budget_id", request.budget_id)
        row = await BUDGETS.get(self._database, caller().project_id, budget_id)
        if row is None:
            raise BudgetNotFound(str(budget_id))
        status = await read_budget(self._reads, caller().project_id, row.spec, datetime.now(UTC))
        return pb.GetBudgetResponse(budget=to_budget(row), status=to_budget_status(status))

    async def ListBudgets(self, request: pb.ListBudgetsRequest, context: Context) -> pb.ListBudgetsResponse:
        rows = await BUDGETS.list(self._database, caller().project_id)
        return pb.ListBudgetsResponse(budgets=map(to_budget, rows))

    async def UpdateBudget(
        self, request: pb.UpdateBudgetRequest, context: Context
    ) -> pb.UpdateBudgetResponse:
        budget_id = parse_uuid("budget.budget_id", request.budget.budget_id)
        fields = check_mask(request.update_mask, BUDGET_FIELDS)

        def change(present: BudgetSpec) -> BudgetSpec:
            budget = budget_of_spec(present)
            merge(budget, request.budget, fields)
            return self._parse_budget(budget)

        with channel_errors("budget"):
            row = await BUDGETS.update(self._database, caller().project_id, budget_id, change)
        if row is None:
            raise BudgetNotFound(str(budget_id))
        return pb.UpdateBudgetResponse(budget=to_budget(row))

    async def DeleteBudget(
        self, request: pb.DeleteBudgetRequest, context: Context
    ) -> pb.DeleteBudgetResponse:
        budget_id = parse_uuid("budget_id", request.budget_id)
        now = datetime.now(UTC)
        if not await BUDGETS.delete(self._database, caller().project_id, budget_id, now=now):
            raise BudgetNotFound(str(budget_id))
        return pb.DeleteBudgetResponse()

    def _parse_budget(self, budget: pb.Budget) -> BudgetSpec:
        checked = pb.Budget()
        checked.CopyFrom(budget)
        checked.display_name = self._redactor.preview(budget.display_name, MAX_NAME_CHARS + 1)
        return parse_budget(checked)
