"""Errors of the launcher: each message names the cause and the fix."""


class StackError(RuntimeError):
    """Something a person can mend; shown without a stack trace."""
