"""What names this process to a collector. Imported only where something is sent to one."""

from __future__ import annotations

import logging
import uuid
from typing import Final

from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource

_UNNAMED: Final = "unknown_service"


def make_resource(process: str) -> Resource:
    """Return the resource: OpenTelemetry's variables, by default a name for each kind of process."""
    # Its exporters log whatever goes wrong, with addresses; nothing of it may reach the console.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL + 1)
    given = Resource.create()
    added = {}
    if str(given.attributes.get(SERVICE_NAME, _UNNAMED)).startswith(_UNNAMED):
        added[SERVICE_NAME] = f"llm-observe-{process}"
    if SERVICE_INSTANCE_ID not in given.attributes:
        added[SERVICE_INSTANCE_ID] = str(uuid.uuid4())
    return given.merge(Resource(added))
