"""What the parts of AlertService share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from server.alerts.errors import ChannelNotFound
from server.rpc.errors import InvalidField
from storage.alert_channels import MAX_PER_PROJECT, ChannelMissing, TooMany

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe.redaction import Redactor

    from storage.pool import Database
    from worker.notices.notifier import Notifier
    from worker.queue.broker import LogBroker


class AlertBase:
    """Holds what is used.

    Args:
        database: Has rules, budgets, channels and alerts.
        reads: Connections for numbers.
        broker: The queue, whose age a rule may watch.
        notifier: Sends the test of a channel.
        redactor: Redacts display names.
    """

    def __init__(
        self,
        *,
        database: Database,
        reads: Database,
        broker: LogBroker,
        notifier: Notifier,
        redactor: Redactor,
    ) -> None:
        self._database = database
        self._reads = reads
        self._broker = broker
        self._notifier = notifier
        self._redactor = redactor


@contextmanager
def channel_errors(path: str) -> Iterator[None]:
    """Turn what storage refuses about a rule, budget or channel into errors of the API.

    Args:
        path: The request's field that holds it.
    """
    try:
        yield
    except ChannelMissing as error:
        raise ChannelNotFound(str(error.channel_id)) from None
    except TooMany:
        raise InvalidField([(path, f"the project has {MAX_PER_PROJECT} already: delete one first")]) from None
