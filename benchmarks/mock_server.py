"""The vendors' protocols in a process of its own: python -m benchmarks.mock_server PORT CHUNKS."""

from __future__ import annotations

import sys

import uvicorn

from stack.demo.provider_mock.server import ProviderMock


def main(port: int, chunks: int) -> None:
    mock = ProviderMock()
    mock.default_behaviour = {"chunks": chunks}
    uvicorn.run(mock.app(), host="127.0.0.1", port=port, log_level="critical", lifespan="off")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
