"""Settings from the environment: validated at start, with the variable's name in the error."""

from __future__ import annotations

import ipaddress
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(RuntimeError):
    """A setting is missing or wrong; the message names the variable and never holds its value."""


class EnvSettings(BaseSettings):
    """Frozen settings: one field per variable, with the variable's name as the field's alias."""

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True, extra="ignore")


_Settings = TypeVar("_Settings", bound=BaseSettings)


def load_settings(kind: type[_Settings], **known: Any) -> _Settings:
    """Read one settings class from the environment, except the fields that are ``known``.

    Raises:
        SettingsError: Names every variable that is missing or wrong.
    """
    try:
        return kind(**known)
    except ValidationError as error:
        problems = [
            _explain(_variable(kind, problem["loc"]), problem["msg"].removeprefix("Value error, "))
            for problem in error.errors(include_input=False)
        ]
        raise SettingsError("invalid settings: " + "; ".join(problems)) from None


def is_loopback(host: str) -> bool:
    """Tell whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _explain(variable: str, message: str) -> str:
    """A rule of several variables names them in its message."""
    return f"{variable}: {message}" if variable else message


def _variable(kind: type[BaseSettings], location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else ""
    field = kind.model_fields.get(name)
    return (field.alias if field is not None and field.alias else name).upper()
