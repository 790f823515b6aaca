"""`llm-observe up` refuses a wrong setting of any process before anything starts, and names the variable."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

import analytics
import codec
import server
import storage
import streamlit_app
import telemetry
import worker
from stack.cli.main import cli
from stack.process_settings import SETTINGS, check_settings
from telemetry.settings import EnvSettings, SettingsError

PACKAGES = (telemetry, storage, analytics, codec, worker, server, streamlit_app)
KINDS = sorted({kind for kinds in SETTINGS.values() for kind in kinds}, key=lambda kind: kind.__name__)
ANY_TEXT = (str, SecretStr, str | None)
CHECKED = [
    str(field.alias)
    for kind in KINDS
    for field in kind.model_fields.values()
    if field.annotation not in ANY_TEXT
]
"""Variables that cannot hold just any text."""


def test_settings_that_fit():
    check_settings()


@pytest.mark.parametrize("variable", sorted(set(CHECKED)))
def test_a_wrong_value_is_refused_before_anything_starts(variable, monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_OBSERVE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, "s3cret value")
    for words in (["up"], ["up", "--detach"]):
        done = CliRunner().invoke(cli, words)
        assert isinstance(done.exception, SettingsError)
        assert variable in str(done.exception)
        assert "s3cret" not in str(done.exception)
    assert not (tmp_path / "home").exists()


def test_all_problems_are_named_once(monkeypatch):
    for variable in ("LLM_OBSERVE_LOG_LEVEL", "LLM_OBSERVE_UI_PORT", "LLM_OBSERVE_TLS"):
        monkeypatch.setenv(variable, "x")
    with pytest.raises(SettingsError) as caught:
        check_settings()
    for variable in ("LLM_OBSERVE_LOG_LEVEL", "LLM_OBSERVE_UI_PORT", "LLM_OBSERVE_TLS must"):
        assert str(caught.value).count(variable) == 1
    assert str(caught.value).count("invalid settings") == 1


def test_stores_of_your_own_are_checked_where_they_are_set(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "nonsense")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@127.0.0.1/name")
    monkeypatch.setenv("LLM_OBSERVE_DB_PASSWORD_FILE", "/nowhere/password")
    with pytest.raises(SettingsError, match=r"LLM_OBSERVE_DB_PASSWORD_FILE.*REDIS_URL"):
        check_settings()


def test_a_tls_file_that_cannot_be_read(monkeypatch, tmp_path):
    monkeypatch.setenv("LLM_OBSERVE_TLS", "true")
    monkeypatch.setenv("LLM_OBSERVE_TLS_CA_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match=r"cannot read .*none.pem"):
        check_settings()


def test_every_settings_class_of_the_product_is_some_process():
    for package in PACKAGES:
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.rpartition(".")[2].endswith(("settings", "logging", "heartbeat")):
                importlib.import_module(module.name)
    classes = {kind for kind in EnvSettings.__subclasses__() if not kind.__module__.startswith("tests")}
    assert classes == set(KINDS)
