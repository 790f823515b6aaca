"""Makes tests/k8s/crds from a folder of CustomResourceDefinitions: python -m tests.k8s.trim_crds FOLDER.

Descriptions and CEL rules are left out, and what a schema does not name is refused, as `kubectl apply` does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).parent / "crds"
KINDS = {
    "ExternalSecret", "GRPCRoute", "Gateway", "HTTPRoute", "ScaledObject", "TriggerAuthentication",
}  # fmt: skip
_NOT_JSON_SCHEMA = ("description", "x-kubernetes-validations", "nullable", "default")
_METADATA = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a structural schema as a JSON Schema that refuses what it does not name."""
    found = {key: value for key, value in schema.items() if key not in _NOT_JSON_SCHEMA}
    if schema.get("x-kubernetes-int-or-string"):
        found.pop("anyOf", None)
        found["type"] = ["integer", "string"]
    if schema.get("nullable") and "type" in found:
        found["type"] = [found["type"], "null"]
    if "properties" in schema:
        # (Properties may have these names, too.)
        found["properties"] = {name: strict(inner) for name, inner in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            found.setdefault("additionalProperties", False)
    for key in ("items", "additionalProperties", "not"):
        if isinstance(schema.get(key), dict):
            found[key] = strict(schema[key])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in found:  # these narrow what stands above and name nothing new
            found[key] = [_narrowing(inner) for inner in found[key]]
    return {key: value for key, value in found.items() if not key.startswith("x-")}


def _narrowing(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in _NOT_JSON_SCHEMA}


def main(folder: Path) -> None:
    """Write a file for each kind and version that is served."""
    for path in sorted(folder.glob("*.yaml")):
        for crd in yaml.safe_load_all(path.read_text()):
            if not crd or crd["spec"]["names"]["kind"] not in KINDS:
                continue
            kind, group = crd["spec"]["names"]["kind"], crd["spec"]["group"]
            for version in crd["spec"]["versions"]:
                if version["storage"]:
                    schema = strict(version["schema"]["openAPIV3Schema"])
                    schema["properties"].update(_METADATA)
                    target = SCHEMAS / f"{group}_{version['name']}_{kind}.json"
                    target.write_text(json.dumps(schema, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
