"""The variables that each process reads, for tests of what sets them: docker-compose.yml and k8s/."""

from __future__ import annotations

from stack.process_settings import SETTINGS

__all__ = ["SETTINGS", "variables"]


def variables(process: str) -> set[str]:
    """Return the names of the variables that a process reads."""
    return {str(field.alias) for kind in SETTINGS[process] for field in kind.model_fields.values()}
