"""A stand-in for the providers: it speaks their protocols over HTTP, plain and streamed.

For demo traffic, tests and benchmarks only. The bodies are written after the vendors' public API references.
"""

from stack.demo.provider_mock.server import ProviderMock, running_mock

__all__ = ["ProviderMock", "running_mock"]
