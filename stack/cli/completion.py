"""`llm-observe completion`: what a shell needs to complete its words."""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import get_completion_class

from stack.cli.program import NAME

COMPLETE_VARIABLE: Final = "_LLM_OBSERVE_COMPLETE"
"""Set by the script where it asks the command for words."""


@click.command()
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print a completion script for a shell.

    \b
    bash  eval "$(llm-observe completion bash)"        in ~/.bashrc
    zsh   eval "$(llm-observe completion zsh)"         in ~/.zshrc, after compinit
    fish  llm-observe completion fish | source         in ~/.config/fish/config.fish

    The command must be on PATH: of `make run` it is .venv/bin/llm-observe.
    """  # noqa: D301 - \b keeps click from wrapping the lines
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has the three
    click.echo(kind(context.find_root().command, {}, NAME, COMPLETE_VARIABLE).source())
