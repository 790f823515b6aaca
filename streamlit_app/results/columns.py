"""The columns of an answer: title, kind and unit of each, and its values as they are shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from analytics.result_files import to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llm_observe.v1.report_service_pb2 import ResultColumn

Kind = Literal["time", "date", "number", "text", "truth"]
Unit = Literal["", "usd", "ms", "s", "share", "change"]
_UNITS: Final[tuple[tuple[str, Unit, float], ...]] = (
    ("_nano_usd", "usd", 1e-9), ("_us", "ms", 1e-3), ("_s", "s", 1),
    ("_share", "share", 1), ("_change", "change", 1),
)  # fmt: skip
"""What the names of reports' columns end with, the unit they are shown in, and the factor to it."""
_COUNTED: Final = re.compile(r"(?:^|_)(request|error|user|session|model|hit|day|retry|token)_count$")
_WORDLESS: Final = re.compile(r"_count$|^total_(?=cost|tokens)")
_ORDINALS: Final = re.compile(r"hour|weekday|\w+_from")
_LOG_IDS: Final = frozenset({"log_id", "example_log_id"})


class Column(NamedTuple):
    """A column as it is shown. ``is_ordinal`` numbers are classes, such as hours of the day."""

    name: str
    title: str
    kind: Kind
    unit: Unit = ""
    help: str = ""
    is_whole: bool = False

    @property
    def is_ordinal(self) -> bool:
        """Whether its numbers are classes and no measure."""
        return self.is_whole and _ORDINALS.fullmatch(self.name) is not None

    @property
    def is_log_id(self) -> bool:
        """Whether it names logs."""
        return self.name in _LOG_IDS

    @property
    def is_measure(self) -> bool:
        """Whether its numbers can be drawn."""
        return self.kind == "number" and not self.is_ordinal and self.name != "place"


class Result(NamedTuple):
    """An answer as it is shown: a column of ``frame`` for each of ``columns``, in order, by title."""

    columns: Sequence[Column]
    frame: pd.DataFrame


def to_result(
    columns: Sequence[ResultColumn], table: pa.Table, *, of_report: bool, value_title: str = ""
) -> Result:
    """Return an answer as it is shown.

    ``of_report`` says that names tell units: such numbers are converted, and titles are words. SQL of one's
    own is shown as it is. ``value_title`` is the title of a report's column ``value``: its dimension.
    """
    described: list[Column] = []
    frame = pd.DataFrame(index=range(table.num_rows))
    for place, column in enumerate(columns):
        values = table.column(place)
        unit, factor = _unit(column.name if of_report and _is_number(values.type) else "")
        title = _title(column.name, unit) if of_report else column.name
        if of_report and value_title and column.name == "value":
            title = value_title
        title = _distinct(title, [each.title for each in described])
        kind = _kind(values.type)
        described.append(
            Column(
                name=column.name,
                title=title,
                kind=kind,
                unit=unit,
                help=column.description or (column.type if not of_report else ""),
                is_whole=pa.types.is_integer(values.type),
            )
        )
        frame[title] = _series(values, kind, factor)
    return Result(described, frame)


def _unit(name: str) -> tuple[Unit, float]:
    return next(((unit, factor) for end, unit, factor in _UNITS if name.endswith(end)), ("", 1))


def _title(name: str, unit: Unit) -> str:
    end = next((end for end, named, _ in _UNITS if unit and named == unit and name.endswith(end)), "")
    if unit in {"share", "change"}:
        end = ""
    plural = _COUNTED.sub(lambda found: f"{found[0].removesuffix('_count')}s", name.removesuffix(end))
    words = (
        _WORDLESS.sub("", plural)
        .replace("_", " ")
        .replace("ttft", "first token")
        .replace("retrys", "retries")
    )
    return words[:1].upper() + words[1:] if not re.match(r"p\d\d", words) else words


def _distinct(title: str, taken: Sequence[str]) -> str:
    number, made = 1, title
    while made in taken:
        number += 1
        made = f"{title} ({number})"
    return made


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _kind(kind: pa.DataType) -> Kind:
    if _is_number(kind):
        return "number"
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_timestamp(kind):
        return "time"
    return "date" if pa.types.is_date(kind) else "text"


def _series(values: pa.ChunkedArray, kind: Kind, factor: float) -> pd.Series[object]:
    made: pd.Series[object]
    if kind == "number" and (factor != 1 or not pa.types.is_integer(values.type)):
        made = pd.Series(pc.multiply(pc.cast(values, pa.float64(), safe=False), factor).to_pandas())
    elif kind == "number":
        # Nullable integers: beside a null, pandas would make them floats, which lose digits.
        made = values.to_pandas(types_mapper=_NULLABLE.get)
    elif kind in {"time", "date"}:
        made = _times(values)
    elif kind == "truth" or pa.types.is_string(values.type):
        made = pd.Series(values.to_pylist(), dtype=object)
    else:
        made = pd.Series(
            [None if value is None else to_text(value) for value in values.to_pylist()], dtype=object
        )
    return made


def _times(values: pa.ChunkedArray) -> pd.Series[object]:
    """Return times; as text where there is one that Python's calendar does not have."""
    try:
        values.to_pylist()
        wanted = values.type if pa.types.is_timestamp(values.type) else pa.timestamp("ms")
        made: pd.Series[object] = pc.cast(values, wanted).to_pandas()
    except (OverflowError, ValueError):  # Arrow's own errors are ValueErrors
        made = pd.Series(pc.cast(values, pa.string()).to_pylist(), dtype=object)
    return made


_NULLABLE: Final = {
    pa.int8(): pd.Int8Dtype(), pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(), pa.uint8(): pd.UInt8Dtype(), pa.uint16(): pd.UInt16Dtype(),
    pa.uint32(): pd.UInt32Dtype(), pa.uint64(): pd.UInt64Dtype(),
}  # fmt: skip
