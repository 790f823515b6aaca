"""The rendered manifests of each overlay: what schemas and rules say, and what this product asks of them."""

from __future__ import annotations

import re

import pytest
import yaml

from telemetry.metrics import TABLE
from tests.k8s import rules, schemas
from tests.k8s.manifests import OVERLAYS, ROOT, Manifests, render
from tests.k8s.rules.references import SECRETS
from worker.queue.settings import QueueSettings

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture(params=OVERLAYS)
def manifests(request) -> Manifests:
    return render(request.param)


def test_every_object_fits_its_schema(manifests):
    assert [text for item in manifests.objects for text in schemas.violations(item)] == []


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_rules_hold(manifests, rule):
    assert list(rule(manifests)) == []


def test_what_is_asked_for_is_there(manifests):
    claims = {
        name: manifests.get("StatefulSet", name)["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]
        for name in ("postgres", "valkey")
    }
    assert claims["postgres"] == {"requests": {"storage": "10Gi"}}
    assert [
        (scaler.target, scaler.minimum, scaler.maximum) for scaler in rules.scaling.scalers(manifests)
    ] == [
        ("server", 2, 10),
        ("worker", 1, 20),
    ]
    assert manifests.get("Service", "server-headless")["spec"]["clusterIP"] == "None"
    workloads = {pod.where for pod in manifests.pods()}
    assert {
        "Job/migrate",
        "CronJob/backup",
        *(f"Deployment/{name}" for name in ("scheduler", "app")),
    } <= workloads


def test_ways_in_and_scaling_of_each_overlay():
    production, minikube = render("production"), render("minikube")
    assert {item["kind"] for item in production.of("GRPCRoute", "HTTPRoute", "Gateway")} == {
        "GRPCRoute", "HTTPRoute", "Gateway",
    }  # fmt: skip
    assert production.of("ScaledObject")
    assert production.of("ExternalSecret")
    assert not production.of("Ingress")
    assert len(minikube.of("Ingress")) == 3
    assert not minikube.of("ScaledObject")


def test_no_overlay_brings_a_secret(manifests):
    """Passwords are made where the product is installed, never kept here."""
    assert manifests.of("Secret") == []
    for item in manifests.of("ConfigMap"):
        for name, value in item["data"].items():
            assert not re.search(r"PASSWORD$|SECRET|API_KEY", name), name
            assert not re.search(r"://[^/]*:[^/]*@", value), name


def test_the_stores_are_those_of_compose(manifests):
    """One list of versions and options, tried in containers."""
    for name in ("postgres", "valkey"):
        store = manifests.pod(name).spec["containers"][0]
        (tag,) = re.findall(r":-([^}]+)}", COMPOSE[name]["image"])
        assert store["image"] == tag
    postgres = manifests.pod("postgres").spec["containers"][0]
    ours = {text.removeprefix("-c").partition("=")[0] for text in postgres["args"] if text.startswith("-c")}
    assert ours == set(re.findall(r"-c (\w+)=", COMPOSE["postgres"]["command"]))
    valkey = manifests.pod("valkey").spec["containers"][0]["command"][2]
    for option in ("--appendonly yes", "--appendfsync always", "--maxmemory-policy noeviction"):
        assert option in valkey
        assert option in COMPOSE["valkey"]["command"]


def test_processes_run_and_are_probed_as_in_compose(manifests):
    for name in ("server", "worker", "scheduler", "app"):
        container = manifests.pod(name).spec["containers"][0]
        assert container["args"] == COMPOSE[name].get("command", ["python", "-m", "streamlit_app"])
    heartbeat = COMPOSE["worker"]["healthcheck"]["test"][1].replace("$$", "$")
    for name in ("worker", "scheduler"):
        assert manifests.pod(name).spec["containers"][0]["livenessProbe"]["exec"]["command"][2] == heartbeat


def test_the_depth_that_keda_reads_is_the_queue():
    (worker,) = render("production").of("ScaledObject")
    depth = worker["spec"]["triggers"][0]["metadata"]
    assert depth["stream"] == QueueSettings.model_fields["queue_name"].default
    assert "consumerGroup" not in depth  # else KEDA would count what is pending, and not what waits


def test_the_age_that_keda_reads_is_a_metric():
    (worker,) = render("production").of("ScaledObject")
    (name,) = re.findall(r"llm_observe_\w+", worker["spec"]["triggers"][1]["metadata"]["query"])
    assert name in {metric.name for metric in TABLE}


def test_metrics_are_served_where_they_are_read():
    production = render("production")
    data = production.of("ConfigMap")[0]["data"]
    assert data.keys() >= {"LLM_OBSERVE_METRICS_HOST", "LLM_OBSERVE_METRICS_PORT"}
    for name in ("server", "worker"):
        pod = production.pod(name)
        template = pod.workload["spec"]["template"]["metadata"]
        assert template["annotations"]["prometheus.io/port"] == data["LLM_OBSERVE_METRICS_PORT"]
        assert pod.ports()["metrics"] == int(data["LLM_OBSERVE_METRICS_PORT"])


def test_components_that_fight_are_never_chosen_together():
    for path in (ROOT / "k8s/overlays").glob("*/kustomization.yaml"):
        chosen = {entry.rpartition("/")[2] for entry in yaml.safe_load(path.read_text())["components"]}
        for pair in ({"autoscaling-hpa", "autoscaling-keda"}, {"lake-volume", "lake-s3"}):
            assert len(chosen & pair) == 1, path


def test_every_component_is_used_and_tested_by_an_overlay():
    components = {path.name for path in (ROOT / "k8s/components").iterdir()}
    texts = "".join(path.read_text() for path in (ROOT / "k8s/overlays").glob("*/kustomization.yaml"))
    assert components == {name for name in components if f"components/{name}\n" in texts}


def test_components_and_keys_are_documented():
    documented = (ROOT / "docs/deploy-kubernetes.md").read_text()
    for path in (ROOT / "k8s/components").iterdir():
        assert f"| `{path.name}` |" in documented
    for name, keys in SECRETS.items():
        assert f"`{name}`" in documented
        assert all(f"`{key}`" in documented for key in keys if not key.startswith("tls."))
    for name in ("client", "gateway", "monitoring"):
        assert f"llm-observe/{name}=true" in documented
