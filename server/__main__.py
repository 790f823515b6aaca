"""python -m server [health]: serve the gRPC API, or ask whether it is served."""

from __future__ import annotations

import sys


def main() -> int:
    """Return the exit status."""
    if sys.argv[1:] == ["health"]:
        from server.probe import main as run  # noqa: PLC0415 - it must not import gRPC
    else:
        from server.start import main as run  # noqa: PLC0415 - as above
    return run()


if __name__ == "__main__":
    raise SystemExit(main())
