"""A mock of the providers that speaks their protocols over HTTP, plain and streamed.

For tests and benchmarks only. The bodies follow the vendors' public API references.
"""

from stack.demo.provider_mock.server import ProviderMock, running_mock

__all__ = ["ProviderMock", "running_mock"]
