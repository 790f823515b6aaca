"""How containers are made and what they may do."""

from __future__ import annotations

from tests.k8s.mistakes.edits import DEPLOYMENT, Mistake, container, drop, edit, pod

MISTAKES = {
    # -- containers
    "an image without a tag": Mistake(
        DEPLOYMENT, "server", lambda d: edit(container(d), image="a/server"), "neither"
    ),
    "an image of the day": Mistake(
        DEPLOYMENT, "app", lambda d: edit(container(d), image="a:5/app:latest"), "neither"
    ),
    "10Gib": Mistake(
        "StatefulSet",
        "postgres",
        lambda d: edit(
            d["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"], storage="10Gib"
        ),
        "10Gib is no quantity",
    ),
    "a limit below the request": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: edit(container(d)["resources"]["limits"], memory="1Mi"),
        "limit of memory",
    ),
    "no limit": Mistake(
        DEPLOYMENT,
        "worker",
        lambda d: drop(container(d)["resources"]["limits"], "memory"),
        "memory is not limited",
    ),
    "a variable twice": Mistake(
        DEPLOYMENT, "server", lambda d: container(d)["env"].append(container(d)["env"][1]), "set twice"
    ),
    "a variable that is set later": Mistake(
        DEPLOYMENT, "server", lambda d: container(d)["env"].reverse(), "refers to VALKEY_PASSWORD"
    ),
    "no liveness": Mistake(
        DEPLOYMENT, "scheduler", lambda d: drop(container(d), "livenessProbe"), "no livenessProbe"
    ),
    "no readiness": Mistake(
        DEPLOYMENT, "server", lambda d: drop(container(d), "readinessProbe"), "no readinessProbe"
    ),
    "liveness before readiness": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: edit(container(d)["livenessProbe"], failureThreshold=1),
        "liveness fails after",
    ),
    "two handlers of a probe": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: edit(container(d)["livenessProbe"], tcpSocket={"port": 50051}),
        "one handler",
    ),
    "a probe of another port": Mistake(
        DEPLOYMENT,
        "app",
        lambda d: edit(container(d)["livenessProbe"]["httpGet"], port=8080),
        "asks port 8080",
    ),
    "a long name of a port": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: container(d)["ports"].append({"name": "a-port-name-too-long", "containerPort": 1}),
        "no name of a port",
    ),
    "two ports of one name": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: container(d)["ports"].append({"name": "grpc", "containerPort": 1}),
        "two ports",
    ),
    "a Job that starts for ever": Mistake(
        "Job", "migrate", lambda d: edit(pod(d), restartPolicy="Always"), "restartPolicy Always"
    ),
    "killed while chat answers": Mistake(
        DEPLOYMENT, "server", lambda d: edit(pod(d), terminationGracePeriodSeconds=60), "is killed before"
    ),
    "no drain": Mistake(DEPLOYMENT, "server", lambda d: drop(container(d), "lifecycle"), "no preStop"),
    # -- confinement
    "root with runAsNonRoot": Mistake(
        DEPLOYMENT, "server", lambda d: edit(pod(d)["securityContext"], runAsUser=0), "runAsUser is root"
    ),
    "no user": Mistake(
        DEPLOYMENT,
        "server",
        lambda d: drop(pod(d)["securityContext"], "runAsUser"),
        "runAsUser is root or unknown",
    ),
    "may be root": Mistake(
        DEPLOYMENT,
        "app",
        lambda d: drop(pod(d)["securityContext"], "runAsNonRoot"),
        "runAsNonRoot is not true",
    ),
    "no seccomp profile": Mistake(
        DEPLOYMENT, "app", lambda d: drop(pod(d)["securityContext"], "seccompProfile"), "no seccomp profile"
    ),
    "privileges grow": Mistake(
        DEPLOYMENT,
        "app",
        lambda d: drop(container(d)["securityContext"], "allowPrivilegeEscalation"),
        "Escalation",
    ),
    "a capability": Mistake(
        "StatefulSet",
        "postgres",
        lambda d: edit(container(d)["securityContext"]["capabilities"], add=["CHOWN"]),
        "capabilities",
    ),
    "a folder of the node": Mistake(
        DEPLOYMENT,
        "worker",
        lambda d: edit(pod(d), volumes=[{"name": "tmp", "hostPath": {"path": "/"}}]),
        "hostPath",
    ),
    "the node's network": Mistake(
        DEPLOYMENT, "worker", lambda d: edit(pod(d), hostNetwork=True), "hostNetwork"
    ),
    "a file system to write": Mistake(
        DEPLOYMENT,
        "worker",
        lambda d: drop(container(d)["securityContext"], "readOnlyRootFilesystem"),
        "can be written",
    ),
    "a token": Mistake(
        DEPLOYMENT,
        "worker",
        lambda d: drop(pod(d), "automountServiceAccountToken"),
        "automountServiceAccountToken",
    ),
    "links of Services": Mistake(
        DEPLOYMENT, "server", lambda d: drop(pod(d), "enableServiceLinks"), "ServiceLinks"
    ),
    "a namespace that admits everything": Mistake(
        "Namespace",
        "llm-observe",
        lambda d: drop(d["metadata"]["labels"], "pod-security.kubernetes.io/enforce"),
        "not held to level",
    ),
    "temporary files without bounds": Mistake(
        DEPLOYMENT, "worker", lambda d: edit(pod(d)["volumes"][1], emptyDir={}), "may fill the node's disk"
    ),
}
