"""Scaling, the network, and the settings of our processes."""

from __future__ import annotations

from tests.k8s.mistakes.edits import DEPLOYMENT, HPA, PDB, Mistake, container, drop, edit, pod, trigger

MISTAKES = {
    # -- scaling
    "fewest above most": Mistake(HPA, "server", lambda d: edit(d["spec"], minReplicas=11), "from 11 to 10"),
    "an HPA without requests": Mistake(
        DEPLOYMENT, "server", lambda d: drop(container(d)["resources"]["requests"], "cpu"), "requests no cpu"
    ),
    "an HPA of nothing": Mistake(
        HPA, "server", lambda d: edit(d["spec"]["scaleTargetRef"], name="servers"), "no Deployment servers"
    ),
    "two autoscalers": Mistake(
        HPA, "server", lambda d: edit(d["spec"]["scaleTargetRef"], name="worker"), "fight over"
    ),
    "an autoscaler and a number": Mistake(
        DEPLOYMENT, "worker", lambda d: edit(d["spec"], replicas=3), "undo"
    ),
    "KEDA: an unknown trigger": Mistake(
        "ScaledObject", "worker", lambda d: edit(trigger(d), type="redis-stream"), "no trigger redis-stream"
    ),
    "KEDA: a misspelt key": Mistake(
        "ScaledObject", "worker", lambda d: edit(trigger(d)["metadata"], lagcount="5"), "has no lagcount"
    ),
    "KEDA: a missing key": Mistake(
        "ScaledObject", "worker", lambda d: drop(trigger(d, 1)["metadata"], "threshold"), "needs threshold"
    ),
    "KEDA: credentials of nobody": Mistake(
        "ScaledObject",
        "worker",
        lambda d: edit(trigger(d)["authenticationRef"], name="redis"),
        "no TriggerAuthentication redis",
    ),
    "a PDB with both bounds": Mistake(
        PDB, "server", lambda d: edit(d["spec"], minAvailable=1), "has 2 bounds"
    ),
    "a PDB of nothing": Mistake(
        PDB,
        "worker",
        lambda d: edit(d["spec"], selector={"matchLabels": {"app": "worker"}}),
        "selects 0 workloads",
    ),
    "a PDB that allows nothing": Mistake(
        PDB, "worker", lambda d: edit(d["spec"], maxUnavailable=0), "can be drained"
    ),
    "more connections than Postgres has": Mistake(
        HPA, "server", lambda d: edit(d["spec"], maxReplicas=30), "pods may open"
    ),
    # -- network
    "nothing is denied": Mistake(
        "NetworkPolicy", "default-deny", lambda d: edit(d["spec"], ingress=[{}]), "denies everything"
    ),
    "a policy that forgets its type": Mistake(
        "NetworkPolicy", "app", lambda d: edit(d["spec"], policyTypes=["Ingress"]), "does not name Egress"
    ),
    "a policy of nobody": Mistake(
        "NetworkPolicy",
        "server",
        lambda d: edit(d["spec"], podSelector={"matchLabels": {"app": "server"}}),
        "selects no pod",
    ),
    "a policy for another port": Mistake(
        "NetworkPolicy",
        "postgres",
        lambda d: edit(d["spec"]["ingress"][0]["ports"][0], port=5433),
        "no port 5433",
    ),
    "a worker without its queue": Mistake(
        "NetworkPolicy",
        "to-valkey",
        lambda d: d["spec"]["podSelector"]["matchExpressions"][0]["values"].remove("worker"),
        "worker does not reach valkey",
    ),
    "a dashboard with the database": Mistake(
        "NetworkPolicy",
        "postgres",
        lambda d: d["spec"]["ingress"][0]["from"][0]["podSelector"]["matchExpressions"][0]["values"].append(
            "app"
        ),
        "app is let in to postgres",
    ),
    "an Ingress to nothing": Mistake(
        "Ingress",
        "grpc",
        lambda d: edit(d["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"], name="grpc"),
        "no Service grpc",
    ),
    "a wrong pathType": Mistake(
        "Ingress",
        "web",
        lambda d: edit(d["spec"]["rules"][0]["http"]["paths"][0], pathType="Begin"),
        "pathType Begin",
    ),
    "streams of a minute": Mistake(
        "Ingress",
        "grpc",
        lambda d: drop(d["metadata"]["annotations"], "nginx.ingress.kubernetes.io/proxy-read-timeout"),
        "cuts streams",
    ),
    "gRPC as HTTP/1": Mistake(
        "Ingress",
        "grpc",
        lambda d: drop(d["metadata"]["annotations"], "nginx.ingress.kubernetes.io/backend-protocol"),
        "protocol of its backend",
    ),
    "TLS for another host": Mistake(
        "Ingress", "web", lambda d: edit(d["spec"]["tls"][0], hosts=["example.com"]), "TLS is not for"
    ),
    "a route without a listener": Mistake(
        "GRPCRoute",
        "grpc",
        lambda d: edit(d["spec"]["parentRefs"][0], sectionName="http"),
        "no listener http",
    ),
    "a route to another port": Mistake(
        "HTTPRoute",
        "web",
        lambda d: edit(d["spec"]["rules"][0]["backendRefs"][0], port=8501),
        "has no port 8501",
    ),
    "a path of OTLP that nobody answers": Mistake(
        "HTTPRoute",
        "otlp",
        lambda d: edit(d["spec"]["rules"][0]["matches"][0]["path"], value="/v1/spans"),
        "no way in leads to /v1/traces",
    ),
    "everything to OTLP": Mistake(
        "Ingress",
        "otlp",
        lambda d: edit(d["spec"]["rules"][0]["http"]["paths"][0], path="/", pathType="Prefix"),
        "/ (Prefix) leads to the port of OTLP",
    ),
    # -- settings
    "a misspelt setting": Mistake(
        DEPLOYMENT,
        "worker",
        lambda d: container(d)["env"].append({"name": "LLM_OBSERVE_WORKERS_GRACE_S", "value": "1"}),
        "does not read LLM_OBSERVE_WORKERS_GRACE_S",
    ),
    "a setting of another process": Mistake(
        DEPLOYMENT,
        "app",
        lambda d: container(d)["env"].append({"name": "DATABASE_URL", "value": "x"}),
        "does not read DATABASE_URL",
    ),
    "an unknown setting for all": Mistake(
        "ConfigMap",
        "settings",
        lambda d: edit(d["data"], LLM_OBSERVE_GRPC_HOSTS="x"),
        "GRPC_HOSTS is no setting",
    ),
    "a value that is refused": Mistake(
        "ConfigMap",
        "settings",
        lambda d: edit(d["data"], LLM_OBSERVE_MAX_CONNECTION_AGE_S="5m"),
        "LLM_OBSERVE_MAX_CONNECTION_AGE_S",
    ),
    "a server that would refuse to start": Mistake(
        "ConfigMap",
        "settings",
        lambda d: drop(d["data"], "LLM_OBSERVE_ALLOW_INSECURE"),
        "is not a loopback address",
    ),
    "a command that is none": Mistake(
        DEPLOYMENT,
        "scheduler",
        lambda d: edit(container(d), args=["python", "-m", "scheduler"]),
        "no command of ours",
    ),
    "a file where nothing is mounted": Mistake(
        DEPLOYMENT, "worker", lambda d: edit(container(d)["env"][4], value="/run/alive"), "nothing is mounted"
    ),
    "copies that do not fit": Mistake(
        DEPLOYMENT, "server", lambda d: edit(pod(d)["volumes"][1]["emptyDir"], sizeLimit="64Mi"), "do not fit"
    ),
}
