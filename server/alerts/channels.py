"""The part of AlertService that keeps and tests channels."""

from __future__ import annotations

import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from llm_observe.v1 import alert_service_pb2 as pb

from server.alerts.base import AlertBase, channel_errors
from server.alerts.convert import to_channel
from server.alerts.parse import CHANNEL_FIELDS, MAX_NAME_CHARS, check_addresses, check_mask, check_name
from server.rpc.auth import caller
from server.rpc.checks import parse_uuid, parse_word
from server.rpc.errors import ChannelInUse, ChannelNotFound, InvalidField
from storage import alert_channels
from worker.notices.addresses import find_url_violation
from worker.notices.errors import NotDelivered
from worker.notices.notifier import make_test_notice

if TYPE_CHECKING:
    from server.rpc.context import Context

_SECRET_BYTES: Final = 32
_COUNTED: Final = timedelta(hours=24)
"""How far back undelivered messages are counted."""


class ChannelService(AlertBase):
    """Channels."""

    async def CreateChannel(
        self, request: pb.CreateChannelRequest, context: Context
    ) -> pb.CreateChannelResponse:
        channel = request.channel
        name = self._check_name(channel.display_name)
        kind = parse_word("channel.type", channel.type, pb.ChannelType)
        self._check_way(kind, channel)
        secret = secrets.token_urlsafe(_SECRET_BYTES) if kind == "webhook" else ""
        with channel_errors("channel"):
            row = await alert_channels.create_channel(
                self._database,
                project_id=caller().project_id,
                display_name=name,
                type=kind,
                url=channel.url,
                signing_secret=secret,
                host=_host_of(channel.url),
                email_addresses=list(channel.email_addresses),
            )
        return pb.CreateChannelResponse(channel=to_channel(row), signing_secret=secret)

    async def ListChannels(
        self, request: pb.ListChannelsRequest, context: Context
    ) -> pb.ListChannelsResponse:
        since = datetime.now(UTC) - _COUNTED
        rows = await alert_channels.list_channels(self._database, caller().project_id, since=since)
        return pb.ListChannelsResponse(channels=map(to_channel, rows))

    async def UpdateChannel(
        self, request: pb.UpdateChannelRequest, context: Context
    ) -> pb.UpdateChannelResponse:
        channel, fields = request.channel, check_mask(request.update_mask, CHANNEL_FIELDS)
        channel_id = parse_uuid("channel.channel_id", channel.channel_id)
        if not request.update_mask.paths:
            raise InvalidField([("update_mask", "is required: a URL cannot be read and sent back")])
        target = await alert_channels.get_target(self._database, caller().project_id, channel_id)
        if target is None:
            raise ChannelNotFound(str(channel_id))
        changed = pb.Channel(
            url=channel.url if "url" in fields else target.url,
            email_addresses=channel.email_addresses
            if "email_addresses" in fields
            else target.email_addresses,
        )
        self._check_way(target.type, changed)
        row = await alert_channels.update_channel(
            self._database,
            caller().project_id,
            channel_id,
            display_name=self._check_name(channel.display_name) if "display_name" in fields else None,
            url=changed.url if "url" in fields else None,
            host=_host_of(changed.url) if "url" in fields else None,
            email_addresses=list(changed.email_addresses) if "email_addresses" in fields else None,
        )
        if row is None:
            raise ChannelNotFound(str(channel_id))
        return pb.UpdateChannelResponse(channel=to_channel(row))

    async def DeleteChannel(
        self, request: pb.DeleteChannelRequest, context: Context
    ) -> pb.DeleteChannelResponse:
        channel_id = parse_uuid("channel_id", request.channel_id)
        try:
            deleted = await alert_channels.delete_channel(self._database, caller().project_id, channel_id)
        except alert_channels.ChannelUsed:
            raise ChannelInUse(str(channel_id)) from None
        if not deleted:
            raise ChannelNotFound(str(channel_id))
        return pb.DeleteChannelResponse()

    async def TestChannel(self, request: pb.TestChannelRequest, context: Context) -> pb.TestChannelResponse:
        channel_id = parse_uuid("channel_id", request.channel_id)
        target = await alert_channels.get_target(self._database, caller().project_id, channel_id)
        if target is None:
            raise ChannelNotFound(str(channel_id))
        notice = make_test_notice(target.project_id, datetime.now(UTC))
        try:
            await self._notifier.send(uuid.uuid4(), target, [notice])
        except NotDelivered as failure:
            return pb.TestChannelResponse(error=str(failure))
        return pb.TestChannelResponse(delivered=True)

    def _check_name(self, name: str) -> str:
        name = self._redactor.preview(name, MAX_NAME_CHARS + 1)
        check_name("channel", name)
        return name

    def _check_way(self, kind: str, channel: pb.Channel) -> None:
        """Check that a channel has what its type needs, and nothing else.

        Raises:
            InvalidField: It has not.
        """
        if kind == "email":
            check_addresses(channel.email_addresses)
            if channel.url:
                raise InvalidField([("channel.url", "is not for email")])
            return
        violation = find_url_violation(channel.url, allow_private=self._notifier.allows_private)
        if violation:
            raise InvalidField([("channel.url", violation)])
        if channel.email_addresses:
            raise InvalidField([("channel.email_addresses", f"are not for type {kind.upper()}")])


def _host_of(url: str) -> str:
    return urlsplit(url).hostname or ""
