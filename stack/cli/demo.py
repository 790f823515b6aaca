"""`llm-observe demo-traffic`: sample calls."""

from __future__ import annotations

import click

from stack.cli.output import progress
from stack.cli.server import server_endpoint
from stack.errors import StackError


@click.command(name="demo-traffic")
@click.option("--calls", default=400, show_default=True, type=click.IntRange(1, 100_000))
@click.option("--seed", default=7, show_default=True, help="The same seed makes the same calls.")
def demo_traffic(calls: int, seed: int) -> None:
    """Make realistic calls to a mock provider.

    The calls go through the SDK, with OpenAI's client and a local mock of its protocol.
    """
    from stack.demo.traffic import run_demo_traffic  # noqa: PLC0415 - loads openai

    endpoint = server_endpoint()
    with progress("demo traffic", calls) as update:
        result = run_demo_traffic(
            endpoint, calls=calls, seed=seed, on_progress=lambda done: update(done, calls)
        )
    click.echo(f"{result.sent} calls recorded, {result.dropped} dropped, {result.pending} pending")
    if result.dropped or result.pending:
        raise StackError(f"some calls did not reach {endpoint}: is LLM Observe running?")
