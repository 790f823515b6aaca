"""The SDK's name and version."""

SDK_NAME = "llm-observe-python"
"""The SDK's name, sent with every batch and as the source of every log."""
__version__ = "0.2.0"
