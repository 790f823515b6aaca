"""Errors of the launcher: each message names the cause and the fix."""


class StackError(RuntimeError):
    """An error that a person can fix; shown without a stack trace."""
