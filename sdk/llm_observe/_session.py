"""What the application says about the calls it makes: session, user, conversation, tags, metadata."""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from llm_observe.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class Session(NamedTuple):
    """The context of a call."""

    session_id: str
    user_id: str = ""
    conversation_id: str = ""
    tags: tuple[str, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()


_current: ContextVar[Session | None] = ContextVar("llm_observe_session", default=None)
_process_session: Session | None = None


def current_session() -> Session:
    """Return the session of this context, or the one that stands for this process."""
    found = _current.get()
    return found if found is not None else _default_session()


def _default_session() -> Session:
    global _process_session  # noqa: PLW0603 - one identity a process, remade after a fork
    if _process_session is None:
        _process_session = Session(session_id=uuid7())
    return _process_session


def _forget_process_session() -> None:
    global _process_session  # noqa: PLW0603 - as above
    _process_session = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_process_session)


@contextmanager
def session(
    session_id: str | None = None,
    *,
    user_id: str | None = None,
    conversation_id: str | None = None,
    tags: Sequence[str] = (),
    metadata: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Attach a session to every call made inside; nested sessions add to the outer one.

    Yields:
        The session id, a new UUID when none was given and there is no outer session.
    """
    outer = _current.get()
    inherited = outer or Session(session_id=session_id or uuid7())
    merged = Session(
        session_id=session_id or inherited.session_id,
        user_id=user_id if user_id is not None else inherited.user_id,
        conversation_id=conversation_id if conversation_id is not None else inherited.conversation_id,
        tags=(*inherited.tags, *(str(tag) for tag in tags)),
        metadata=(*inherited.metadata, *((str(k), str(v)) for k, v in (metadata or {}).items())),
    )
    token = _current.set(merged)
    try:
        yield merged.session_id
    finally:
        _current.reset(token)
