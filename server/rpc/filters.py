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
    return {
        field: filter_values(f"{path}.{field}", getattr(metric_filter, field))
        for field in ("providers", "models", "operations", "environments")
    }


def filter_values(field: str, values: Sequence[str]) -> Sequence[str] | None:
    """Return the values of a filter's field; None where all match.

    Raises:
        InvalidField: It has too many values.
    """
    if len(values) > _MAX_FILTER_VALUES:
        raise InvalidField([(field, f"must have at most {_MAX_FILTER_VALUES} values")])
    if any("\x00" in value for value in values):
        raise InvalidField([(field, "must not contain NUL")])
    return list(values) or None
