"""The schemas of Kubernetes (package kubernetes-validate) and of custom resources (the folder crds)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jsonschema
import kubernetes_validate

from tests.k8s.manifests import Object, where

VERSION = "1.37.0"
FOLDER = Path(__file__).parent / "crds"


def violations(item: Object) -> Iterator[str]:
    """Yield what a schema refuses of an object, fields that do not exist among it."""
    group, _, version = item["apiVersion"].rpartition("/")
    path = FOLDER / f"{group}_{version}_{item['kind']}.json"
    if path.exists():
        yield from (_describe(item, error) for error in _validator(path).iter_errors(item))
        return
    try:
        kubernetes_validate.validate(item, VERSION, strict=True)
    except jsonschema.ValidationError as error:
        yield _describe(item, error)
    except kubernetes_validate.SchemaNotFoundError:
        yield f"{where(item)}: Kubernetes {VERSION} has no {item['kind']} of {item['apiVersion']}"


@cache
def _validator(path: Path) -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(path.read_text()))


def _describe(item: Object, error: jsonschema.ValidationError) -> str:
    return f"{where(item)}: {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}"
