"""`llm-observe doctor`: whether this machine can run everything, and what to do where it cannot."""

from __future__ import annotations

from typing import Final

import click

from stack.cli.output import json_option, print_json
from stack.cli.program import name_program
from stack.diagnosis import FAIL, OK, WARN, Finding, examine

_COLOURS: Final = {OK: "green", WARN: "yellow", FAIL: "red"}


@click.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Check that this machine can run everything.

    Looks at packages, compiled modules, the compiler, settings, keys, disk and ports. Each line is ok, warn
    or fail, and says what to do. Exits with status 1 if anything fails. Changes nothing.
    """
    findings = examine()
    if as_json:
        print_json([finding._asdict() for finding in findings])
    else:
        width = max(len(finding.subject) for finding in findings)
        for finding in findings:
            click.echo(_line(finding, width))
    if any(finding.result == FAIL for finding in findings):
        raise SystemExit(1)


def _line(finding: Finding, width: int) -> str:
    result = click.style(f"{finding.result:<4}", fg=_COLOURS[finding.result])
    text = ": ".join(filter(None, (finding.details, finding.fix)))
    return f"{result}  {finding.subject:<{width}}  {name_program(text)}"
