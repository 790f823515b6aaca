"""The documentation of the files' schema, made of the schema itself."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from analytics.lake.layout import FILE_NAME
from analytics.lake.schema import MEANINGS, SCHEMA
from storage.columns import LAKE_COLUMNS

_INTRODUCTION: Final = f"""\
# The Parquet files

Made by `make docs` from `analytics/lake/schema.py`; do not edit.

```
project_id=<project>/date=YYYY-MM-DD/hour=HH/{FILE_NAME}   logs that started in that UTC hour
project_id=<project>/_manifest/date=YYYY-MM-DD.json        its files: row_count, size_bytes, sha256
```

One file an hour, always of the same name, replaced as a whole when late logs, corrections or new prices
have changed the hour. An hour without logs has none. `project_id`, `date` and `hour` are folders (Hive
layout), not columns: give a condition on `date`, by which engines skip files. Engines skip names that
begin with `_` or `.`. A manifest follows its files by seconds. Unknown numbers and times are null;
unknown texts are `''`. Times are UTC, to the microsecond. Ids are text, since Spark cannot read
Parquet's UUID.

Whoever reads a file while it is replaced keeps the old one, or gets the new one. An engine that opens a
file twice (DuckDB does, for the first file of a query) or goes by sizes that it listed before (Spark)
can meet both: the query fails, and succeeds when it is repeated.

| column | type | null | meaning |
|---|---|---|---|
"""


def schema_docs() -> str:
    """Return docs/parquet-schema.md."""
    nullable = {column.name for column in LAKE_COLUMNS if column.is_nullable}
    rows = (
        f"| `{field.name}` | {_type_of(field.type)} | {'yes' if field.name in nullable else ''} "
        f"| {MEANINGS[field.name]} |"
        for field in SCHEMA
    )
    return _INTRODUCTION + "\n".join(rows) + "\n"


def _type_of(kind: pa.DataType) -> str:
    if pa.types.is_map(kind):
        return "map<string, string>"
    if pa.types.is_list(kind):
        return "list<string>"
    return "timestamp[us, UTC]" if pa.types.is_timestamp(kind) else str(kind)
