"""The tasks that workers run."""
