"""Settings are checked at start, and errors name the variable, never its value."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from llm_observe.limits import MAX_BATCH_LOGS

from server.settings import ServerSettings
from storage.settings import StorageSettings
from streamlit_app.settings import ListenSettings
from telemetry.settings import EnvSettings, SettingsError, load_settings


def test_a_missing_variable_is_named():
    with pytest.raises(SettingsError, match="DATABASE_URL"):
        load_settings(StorageSettings)


def test_errors_name_the_variable_but_not_its_value(monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_GRPC_PORT", "s3cret")
    with pytest.raises(SettingsError, match="LLM_OBSERVE_GRPC_PORT") as caught:
        load_settings(ServerSettings)
    assert "s3cret" not in str(caught.value)


def test_passwords_are_hidden_in_repr(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:" + "s3cret" + "@h/d")
    assert "s3cret" not in repr(load_settings(StorageSettings))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com"])
def test_listening_beyond_loopback_requires_allow_insecure(monkeypatch, host):
    monkeypatch.setenv("LLM_OBSERVE_GRPC_HOST", host)
    with pytest.raises(SettingsError, match="LLM_OBSERVE_ALLOW_INSECURE"):
        load_settings(ServerSettings)
    monkeypatch.setenv("LLM_OBSERVE_ALLOW_INSECURE", "true")
    assert load_settings(ServerSettings).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_listening_on_loopback_requires_no_setting(monkeypatch, host):
    monkeypatch.setenv("LLM_OBSERVE_GRPC_HOST", host)
    assert load_settings(ServerSettings).host == host


@pytest.mark.parametrize("allowed_by", ["LLM_OBSERVE_UI_LOGIN", "LLM_OBSERVE_ALLOW_INSECURE"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1", "example.com"])
def test_a_dashboard_beyond_loopback_requires_a_login(monkeypatch, host, allowed_by):
    assert load_settings(ListenSettings).host == "127.0.0.1"
    monkeypatch.setenv("LLM_OBSERVE_UI_HOST", host)
    with pytest.raises(SettingsError, match=f"LLM_OBSERVE_UI_HOST .*{allowed_by}"):
        load_settings(ListenSettings)
    monkeypatch.setenv(allowed_by, "true")
    assert load_settings(ListenSettings).host == host


BROKEN_RULES: list[tuple[type[EnvSettings], dict[str, str]]] = [
    (ServerSettings, {"LLM_OBSERVE_GRPC_HOST": "0.0.0.0"}),
    (ServerSettings, {"LLM_OBSERVE_SERVER_TLS_CERT_FILE": "cert.pem"}),
    (ServerSettings, {"LLM_OBSERVE_SERVER_TLS_CLIENT_CA_FILE": "ca.pem"}),
    (ListenSettings, {"LLM_OBSERVE_UI_HOST": "0.0.0.0"}),
    (StorageSettings, {"LLM_OBSERVE_DB_PASSWORD": "a", "LLM_OBSERVE_DB_PASSWORD_FILE": "b"}),
    (StorageSettings, {"LLM_OBSERVE_DB_PASSWORD_FILE": "/nowhere/password"}),
]


@pytest.mark.parametrize(("kind", "env"), BROKEN_RULES)
def test_a_broken_rule_of_several_settings_names_a_variable_first(monkeypatch, kind, env):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@host/name")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"^invalid settings: (set both |set )?LLM_OBSERVE_\w+"):
        load_settings(kind)


def test_a_rate_limit_lets_a_full_batch_through(monkeypatch):
    monkeypatch.setenv("LLM_OBSERVE_INGEST_LOGS_PER_MINUTE", str(MAX_BATCH_LOGS))
    assert load_settings(ServerSettings).ingest_logs_per_minute == MAX_BATCH_LOGS
    monkeypatch.setenv("LLM_OBSERVE_INGEST_LOGS_PER_MINUTE", str(MAX_BATCH_LOGS - 1))
    with pytest.raises(SettingsError, match=r"LLM_OBSERVE_INGEST_LOGS_PER_MINUTE: .*500"):
        load_settings(ServerSettings)


@pytest.mark.parametrize("process", ["server", "worker"])
def test_a_wrong_price_file_stops_a_process_at_start(process, tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nprovider = "acme"\nmodel = "m"\noutput = 3\n')
    stores = {"DATABASE_URL": "postgresql://127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
    env = {**os.environ, **stores, "LLM_OBSERVE_PRICE_FILE": str(prices)}
    ended = subprocess.run(
        [sys.executable, "-m", process], env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 2
    assert "LLM_OBSERVE_PRICE_FILE: entry 1 (line 1): rates without input" in ended.stderr
    assert "leave out all rates" in ended.stderr
