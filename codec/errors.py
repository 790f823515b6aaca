"""Errors of the codec."""

from __future__ import annotations

from google.protobuf.message import DecodeError


class InvalidLog(DecodeError):
    """A log that protobuf can read and no row can hold: its id is no UUID, or a value is out of range.

    The server refuses such logs, so one in the queue comes from somewhere else.
    """


class InvalidBatch(DecodeError):
    """A batch of the queue whose head (project, time, counts) is not what a server writes."""
