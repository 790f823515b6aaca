"""python -m analytics.lake: prints docs/parquet-schema.md."""

from __future__ import annotations

import sys

from analytics.lake.schema_docs import schema_docs

if __name__ == "__main__":
    sys.stdout.write(schema_docs())
