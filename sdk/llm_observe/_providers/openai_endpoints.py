"""The endpoints of OpenAI that run a model: what each does, and how its answer is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe._background import find_call, is_known

if TYPE_CHECKING:
    from llm_observe._call import Call
    from llm_observe._vendor import VendorObject

CHAT: Final = "chat"
TEXT: Final = "text"
RESPONSE: Final = "response"
EMBEDDINGS: Final = "embeddings"
MEDIA: Final = "media"
"""Images, audio, moderations, decisions: an answer that is complete when it is there."""
JOB: Final = "job"
"""Videos and runs of assistants: work with a status, which the application asks for until it is done."""


class Endpoint(NamedTuple):
    """What an endpoint does."""

    operation: str
    """The operation in the log."""
    kind: str
    """How requests and answers look."""
    shows_end: bool = False
    """Whether a complete answer shows that it is complete."""


_ENDPOINTS: Final = {
    "/chat/completions": Endpoint("chat", CHAT, shows_end=True),
    "/responses": Endpoint("chat", RESPONSE, shows_end=True),
    "/embeddings": Endpoint("embeddings", EMBEDDINGS),
    "/completions": Endpoint("text_completion", TEXT, shows_end=True),
    "/responses/compact": Endpoint("compaction", RESPONSE, shows_end=True),
    "/images/generations": Endpoint("image_generation", MEDIA),
    "/images/edits": Endpoint("image_generation", MEDIA),
    "/images/variations": Endpoint("image_generation", MEDIA),
    "/audio/speech": Endpoint("speech", MEDIA),
    "/audio/transcriptions": Endpoint("transcription", MEDIA),
    "/audio/translations": Endpoint("translation", MEDIA),
    "/moderations": Endpoint("moderation", MEDIA),
    "/decisions": Endpoint("decision", MEDIA),
    "/videos": Endpoint("video_generation", JOB, shows_end=True),
    "/videos/edits": Endpoint("video_generation", JOB, shows_end=True),
    "/videos/extensions": Endpoint("video_generation", JOB, shows_end=True),
    "/threads/runs": Endpoint("invoke_agent", JOB, shows_end=True),
}
_PATTERNS: Final = (
    (re.compile(r"/videos/[^/]+/remix"), Endpoint("video_generation", JOB, shows_end=True)),
    (re.compile(r"/threads/[^/]+/runs"), Endpoint("invoke_agent", JOB, shows_end=True)),
)
_POLL: Final = re.compile(
    r"(?:.*/)?(?:responses|videos|threads/[^/]+/runs)/([^/?]+)(?:/cancel|/submit_tool_outputs)?(?:\?.*)?"
)
"""Asks for an answer that was begun by another request, or goes on with it."""
STREAMED_USAGE: Final = frozenset({CHAT, TEXT})
"""Kinds whose streams report usage only on request."""


def find_endpoint(options: VendorObject) -> Endpoint | None:
    """Return the endpoint that a request runs a model at, or None."""
    endpoint = _ENDPOINTS.get(options.url)
    return endpoint if endpoint is not None else _find_rare(options)


def _find_rare(options: VendorObject) -> Endpoint | None:
    """Return the endpoint of a beta, whose URL has a query, or one with an id in its path."""
    if options.method.lower() != "post":
        return None
    # An application may name a whole URL, and Azure's paths have the deployment before the endpoint.
    steps = str(options.url).partition("?")[0].strip("/").split("/")
    paths = ("/" + "/".join(steps[start:]) for start in range(len(steps)))
    return next(filter(None, map(_find_path, paths)), None)


def _find_path(path: str) -> Endpoint | None:
    return _ENDPOINTS.get(path) or next((each for form, each in _PATTERNS if form.fullmatch(path)), None)


def find_background_call(options: VendorObject) -> Call | None:
    """Return the call that a request asks for, goes on with or cancels, if there is one."""
    if not is_known() or options.method.lower() == "delete":
        return None
    match = _POLL.fullmatch(str(options.url))
    return find_call(match.group(1)) if match else None
