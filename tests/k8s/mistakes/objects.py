"""Fields, types, names and references."""

from __future__ import annotations

from tests.k8s.mistakes.edits import DEPLOYMENT, HPA, PDB, Mistake, container, drop, edit, pod

MOUNTED = "/run/secrets/llm-observe"

MISTAKES = {
    # -- fields and types
    "a misspelt field": Mistake(
        DEPLOYMENT, "server", lambda d: edit(d["spec"], replica=2), "'replica' was unexpected"
    ),
    "a port as text": Mistake(
        DEPLOYMENT, "server", lambda d: edit(container(d), ports=[{"containerPort": "50051"}]), "not of type"
    ),
    "no selector": Mistake(
        DEPLOYMENT, "server", lambda d: drop(d["spec"], "selector"), "'selector' is a required"
    ),
    "an old version of HPA": Mistake(
        HPA, "server", lambda d: edit(d, apiVersion="autoscaling/v2beta2"), "has no"
    ),
    "an old version of PDB": Mistake(PDB, "server", lambda d: edit(d, apiVersion="policy/v1beta1"), "has no"),
    "a number in the environment": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: container(d)["env"].append({"name": "LLM_OBSERVE_LOG_LEVEL", "value": 5}),
        "not of type",
    ),
    "KEDA: a misspelt field": Mistake(
        "ScaledObject", "worker", lambda d: edit(d["spec"], maxReplicas=3), "'maxReplicas' was unexpected"
    ),
    "KEDA: text for a number": Mistake(
        "ScaledObject", "worker", lambda d: edit(d["spec"], maxReplicaCount="20"), "not of type"
    ),
    "a route to port 70000": Mistake(
        "GRPCRoute", "grpc", lambda d: edit(d["spec"]["rules"][0]["backendRefs"][0], port=70000), "maximum"
    ),
    "a misspelt field of a route": Mistake(
        "GRPCRoute",
        "grpc",
        lambda d: edit(d["spec"]["rules"][0], backendRef=[]),
        "'backendRef' was unexpected",
    ),
    "a wrong duration": Mistake(
        "HTTPRoute",
        "web",
        lambda d: edit(d["spec"]["rules"][0]["timeouts"], request="1 hour"),
        "does not match",
    ),
    "a Gateway without a class": Mistake(
        "Gateway", "llm-observe", lambda d: drop(d["spec"], "gatewayClassName"), "required property"
    ),
    "an ExternalSecret without a key": Mistake(
        "ExternalSecret",
        "llm-observe",
        lambda d: drop(d["spec"]["dataFrom"][0]["extract"], "key"),
        "required",
    ),
    # -- names and references
    "a name in capitals": Mistake(
        "PersistentVolumeClaim", "backups", lambda d: edit(d["metadata"], name="Backups"), "no valid name"
    ),
    "another namespace": Mistake(
        DEPLOYMENT, "server", lambda d: edit(d["metadata"], namespace="default"), "not in the namespace"
    ),
    "a selector of other pods": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: edit(d["spec"], selector={"matchLabels": {"app.kubernetes.io/name": "other"}}),
        "does not select its pods",
    ),
    "a selector of all pods": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: edit(d["spec"], selector={"matchLabels": {"app.kubernetes.io/part-of": "llm-observe"}}),
        "selects pods of others",
    ),
    "a Service without pods": Mistake(
        "Service", "server", lambda d: edit(d["spec"], selector={"app": "server"}), "selects 0 workloads"
    ),
    "a Service to a port that is not there": Mistake(
        "Service", "app", lambda d: edit(d["spec"]["ports"][0], targetPort="web"), "its port web is none"
    ),
    "a StatefulSet without its Service": Mistake(
        "StatefulSet", "valkey", lambda d: edit(d["spec"], serviceName="redis"), "no headless Service"
    ),
    "a mount without a volume": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: container(d)["volumeMounts"].append({"name": "x", "mountPath": "/x"}),
        "no volume x",
    ),
    "a volume without a mount": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: pod(d)["volumes"].append({"name": "x", "emptyDir": {"sizeLimit": "1Mi"}}),
        "volume x is not mounted",
    ),
    "two volumes at one place": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: container(d)["volumeMounts"].append({"name": "tmp", "mountPath": MOUNTED}),
        f"two volumes at {MOUNTED}",
    ),
    "a ConfigMap that is not there": Mistake(
        DEPLOYMENT,
        "worker",
        lambda d: edit(container(d), envFrom=[{"configMapRef": {"name": "setting"}}]),
        "no ConfigMap setting",
    ),
    "a key that no Secret has": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: edit(container(d)["env"][0]["valueFrom"]["secretKeyRef"], key="redis-password"),
        "nobody puts redis-password",
    ),
    "a key that may be absent": Mistake(
        DEPLOYMENT,
        "app",
        lambda d: drop(container(d)["env"][-1]["valueFrom"]["secretKeyRef"], "optional"),
        "not optional here",
    ),
    "a claim that is not there": Mistake(
        "CronJob",
        "backup",
        lambda d: edit(
            d["spec"]["jobTemplate"]["spec"]["template"]["spec"]["volumes"][0]["persistentVolumeClaim"],
            claimName="x",
        ),
        "no PersistentVolumeClaim x",
    ),
    "spread by labels of others": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: edit(
            pod(d)["topologySpreadConstraints"][0],
            labelSelector={"matchLabels": {"app.kubernetes.io/name": "x"}},
        ),
        "spread by labels",
    ),
}
