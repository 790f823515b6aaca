"""Reads the events of a stream as plain JSON: building a vendor's model of each takes ten times as long."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from llm_observe._providers.fields import to_json_objects

if TYPE_CHECKING:
    from llm_observe._vendor import VendorClass, VendorObject


class RawEventsMixin:
    """Overrides the one method of OpenAI's and Anthropic's clients that turns JSON into an event."""

    def _process_response_data(self, *, data: object, cast_to: object, response: object) -> VendorObject:
        del cast_to, response
        return to_json_objects(data)


@functools.cache
def with_raw_events(client_class: VendorClass) -> VendorClass:
    """Return a subclass of an OpenAI or Anthropic client class whose streams yield JsonObjects.

    A client of another version may not call the overridden method. Its events are then the vendor's models,
    which the readers accept as well.
    """
    members = {"__module__": client_class.__module__}
    return type(client_class.__name__, (RawEventsMixin, client_class), members)
