"""Checks metric filters, which several services take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from server.rpc.errors import InvalidField

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.filter_pb2 import MetricFilter

_MAX_FILTER_VALUES: Final = 50


def metric_filters(metric_filter: MetricFilter, path: str = "filter") -> dict[str, Sequence[str] | None]:
    """Return the filter's lists by field; None where all values match. ``path`` is the filter's field.

    Raises:
        InvalidField: A list has too many values.
    """
    filters: dict[str, Sequence[str] | None] = {}
    for field in ("providers", "models", "operations", "environments"):
        values = list(getattr(metric_filter, field))
        if len(values) > _MAX_FILTER_VALUES:
            raise InvalidField([(f"{path}.{field}", f"must have at most {_MAX_FILTER_VALUES} values")])
        if any("\x00" in value for value in values):
            raise InvalidField([(f"{path}.{field}", "must not contain NUL")])
        filters[field] = values or None
    return filters
