"""What the commands about alerts share."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click
from google.protobuf.duration_pb2 import Duration
from llm_observe.v1 import alert_service_pb2 as pb
from llm_observe.v1.alert_service_pb2_grpc import AlertServiceStub

from stack.cli.server import server_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.protobuf.timestamp_pb2 import Timestamp

TIMEOUT_S: Final = 30.0
NANO: Final = 1_000_000_000
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LENGTH: Final = re.compile(r"(\d{1,7})([smhd])")
FILTERS: Final = ("provider", "model", "operation", "environment")


@contextmanager
def alert_service() -> Iterator[AlertServiceStub]:
    """Open the running server's AlertService; see server_channel()."""
    with server_channel() as channel:
        yield AlertServiceStub(channel)


class LengthType(click.ParamType[Duration]):
    """A length of time: a number and s, m, h or d."""

    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        """Return the Duration."""
        found = _LENGTH.fullmatch(str(value))
        if found is None:
            self.fail("must be a number and s, m, h or d, such as 15m", param, ctx)
        return Duration(seconds=int(found.group(1)) * _UNITS[found.group(2)])


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that select calls; ``make_filter`` takes their values."""
    for name in FILTERS:
        option = click.option(
            f"--{name}", f"{name}s", multiple=True, help=f"Only this {name}; may be repeated."
        )
        command = option(command)
    return command


channel_option = click.option(
    "--channel", "channel_ids", multiple=True, help="Id of a channel that is told; may be repeated."
)


def format_time(time: Timestamp) -> str:
    """Return a time in UTC, to the second; '' where there is none."""
    return time.ToDatetime().isoformat(" ", "seconds") if time.seconds else ""


def word_of(enum: Any, number: int, prefix: str) -> str:
    """Return the word of an enum's value."""
    name: str = enum.Name(number)
    return name.removeprefix(prefix).lower()


def metric_word(metric: pb.AlertMetric.ValueType) -> str:
    """Return a metric's word."""
    return word_of(pb.AlertMetric, metric, "ALERT_METRIC_")
