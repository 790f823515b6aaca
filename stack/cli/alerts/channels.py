"""`llm-observe alerts channels`."""

from __future__ import annotations

from typing import Final

import click
from llm_observe.v1 import alert_service_pb2 as pb

from stack.cli.alerts.common import TIMEOUT_S, alert_service, word_of
from stack.cli.output import hint, json_option, print_items
from stack.errors import StackError

_COLUMNS: Final = ("id", "name", "type", "to", "waiting", "undelivered", "last error")


@click.group()
def channels() -> None:
    """Create, list, test and delete channels.

    A channel is where notices of alerts go to.
    """


@channels.command(name="create")
@click.argument("name")
@click.option("--webhook", default="", help="URL that gets signed JSON.")
@click.option("--slack", default="", help="URL of a Slack incoming webhook.")
@click.option("--email", "addresses", multiple=True, help="Address; may be repeated.")
def create_channel(name: str, webhook: str, slack: str, addresses: tuple[str, ...]) -> None:
    """Create a channel and print its id.

    Of a webhook, the secret that signs its messages is printed, too.
    """
    given = [bool(webhook), bool(slack), bool(addresses)]
    if sum(given) != 1:
        raise click.UsageError("give one of --webhook, --slack and --email")
    kinds = (pb.CHANNEL_TYPE_WEBHOOK, pb.CHANNEL_TYPE_SLACK, pb.CHANNEL_TYPE_EMAIL)
    channel = pb.Channel(
        display_name=name, type=kinds[given.index(True)], url=webhook or slack, email_addresses=addresses
    )
    with alert_service() as service:
        response = service.CreateChannel(pb.CreateChannelRequest(channel=channel), timeout=TIMEOUT_S)
    click.echo(response.channel.channel_id)
    if response.signing_secret:
        hint("copy the signing secret now: it cannot be shown again")
        click.echo(response.signing_secret)


@channels.command(name="list")
@json_option
def list_channels(*, as_json: bool) -> None:
    """List the project's channels, oldest first."""
    with alert_service() as service:
        response = service.ListChannels(pb.ListChannelsRequest(), timeout=TIMEOUT_S)
    nothing = "no channels: create one with `llm-observe alerts channels create`"
    print_items(response.channels, _COLUMNS, _row, as_json=as_json, nothing=nothing)


def _row(channel: pb.Channel) -> tuple[str | int, ...]:
    return (
        channel.channel_id,
        channel.display_name,
        word_of(pb.ChannelType, channel.type, "CHANNEL_TYPE_"),
        channel.host or ", ".join(channel.email_addresses),
        channel.waiting_message_count,
        channel.undelivered_message_count,
        channel.last_error,
    )


@channels.command(name="test")
@click.argument("channel_id")
def test_channel(channel_id: str) -> None:
    """Send a message to a channel now."""
    with alert_service() as service:
        response = service.TestChannel(pb.TestChannelRequest(channel_id=channel_id), timeout=2 * TIMEOUT_S)
    if not response.delivered:
        raise StackError(f"not delivered: {response.error}")
    click.echo("delivered")


@channels.command(name="delete")
@click.argument("channel_id")
def delete_channel(channel_id: str) -> None:
    """Delete a channel that no rule or budget uses."""
    with alert_service() as service:
        service.DeleteChannel(pb.DeleteChannelRequest(channel_id=channel_id), timeout=TIMEOUT_S)
    click.echo("deleted")
