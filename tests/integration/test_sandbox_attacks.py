"""What hostile SQL may try. Every attack is refused or bounded with a sentence, sees nothing of others, leaves no trace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analytics.sandbox.errors import (
    QueryProcessLost,
    SandboxError,
    SqlFailed,
    SqlLimitExceeded,
    SqlRefused,
)
from analytics.sandbox.processes import QueryProcesses
from analytics.sandbox.query import MEBIBYTE, Limits
from analytics.sandbox.settings import SandboxSettings
from tests.support.sandbox import (
    CANARY,
    FIRST_HOUR,
    Answer,
    ask,
    hour_of_logs,
    ipc,
    make_lake,
    outcome,
    source_of,
)

GENEROUS = Limits(cpu_s=60, time_s=120)
TIGHT = Limits(address_space_bytes=640 * MEBIBYTE, cpu_s=1, time_s=0.6)
"""Small, so that attacks cost the tests little."""
MAX_PEAK_BYTES = TIGHT.address_space_bytes + 256 * MEBIBYTE
"""The rest is what the process has at its start, DuckDB and Arrow above all."""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("sandbox")


@pytest.fixture(scope="module")
def lake(root):
    (root / "secret.txt").write_text(CANARY)
    (root / "secret.csv").write_text(f"a,b\n{CANARY},1\n")
    (root / "secret.json").write_text(f'{{"a": "{CANARY}"}}')
    made = make_lake(root / "lake")
    (made / "project_id=mine" / "link.txt").symlink_to(root / "secret.txt")
    (made / "project_id=mine" / "linked").symlink_to(made / "project_id=other")
    return made


@pytest.fixture(scope="module")
async def processes():
    os.environ["SANDBOX_TEST_SECRET"] = CANARY
    async with QueryProcesses(SandboxSettings(processes=1, queue_timeout_s=300)) as started:
        yield started
    del os.environ["SANDBOX_TEST_SECRET"]


def tree(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


# {root} is a folder with secrets, {mine} the project's own, {other} another one's.
ACCESSES = {
    "csv": "SELECT * FROM read_csv('{root}/secret.csv')",
    "passwd": "SELECT * FROM read_csv('/etc/passwd')",
    "bare path": "SELECT * FROM '{root}/secret.csv'",
    "bare path of Parquet": "SELECT * FROM '{other}/date=2026-11-02/hour=22/logs.parquet'",
    "double-quoted path": 'SELECT * FROM "{root}/secret.csv"',
    "path as catalogue": 'SELECT * FROM "{root}"."secret.csv"',
    "read_text": "SELECT * FROM read_text('{root}/secret.txt')",
    "read_blob": "SELECT * FROM read_blob('{root}/secret.txt')",
    "environment": "SELECT * FROM read_blob('/proc/self/environ')",
    "memory": "SELECT * FROM read_blob('/proc/self/mem')",
    "descriptors": "SELECT * FROM read_blob('/proc/self/fd/0')",
    "descriptor by dev": "SELECT * FROM read_text('/dev/fd/3')",
    "parent's environment": "SELECT * FROM read_text('/proc/{pid}/environ')",
    "stdin": "SELECT * FROM read_csv('/dev/stdin')",
    "getenv": "SELECT getenv('SANDBOX_TEST_SECRET')",
    "glob": "SELECT * FROM glob('{root}/*')",
    "glob of all": "SELECT * FROM glob('/**')",
    "sniff_csv": "SELECT * FROM sniff_csv('{root}/secret.csv')",
    "read_json": "SELECT * FROM read_json('{root}/secret.json')",
    "read_ndjson_objects": "SELECT * FROM read_ndjson_objects('{root}/secret.json')",
    "parquet_metadata": "SELECT * FROM parquet_metadata('{other}/date=2026-11-02/hour=22/logs.parquet')",
    "parquet_kv_metadata": "SELECT * FROM parquet_kv_metadata('{other}/date=2026-11-02/hour=22/logs.parquet')",
    "parquet_bloom_probe": "SELECT * FROM parquet_bloom_probe('{other}/date=2026-11-02/hour=22/logs.parquet', 'model', 'm')",
    "other project": "SELECT * FROM read_parquet('{other}/*/*/logs.parquet')",
    "other project by dots": "SELECT * FROM read_parquet('{mine}/../project_id=other/*/*/logs.parquet')",
    "dots inside a glob": "SELECT * FROM read_parquet('{mine}/*/../../project_id=other/*/*/logs.parquet')",
    "sibling with the same prefix": "SELECT * FROM read_parquet('{mine}-2/*/*/logs.parquet')",
    "brace glob": "SELECT * FROM read_parquet('{mine}{{,-2}}/*/*/logs.parquet')",
    "class glob": "SELECT * FROM read_parquet('{lake}/project_id=[mo]*/*/*/logs.parquet')",
    "link to a file": "SELECT * FROM read_text('{mine}/link.txt')",
    "link to a folder": "SELECT * FROM read_parquet('{mine}/linked/*/*/logs.parquet')",
    "own folder by path": "SELECT * FROM read_parquet('{mine}/*/*/logs.parquet')",
    "list of files": "SELECT * FROM read_parquet(['lake://date=2026-11-02/hour=22/logs.parquet', '{other}/x'])",
    "lake by dots": "SELECT * FROM read_parquet('lake://date=2026-11-02/hour=22/../../../project_id=other/logs.parquet')",
    "lake by glob": "SELECT * FROM read_parquet('lake://**')",
    "lake by root": "SELECT * FROM read_text('lake:///etc/passwd')",
    "file scheme": "SELECT * FROM read_text('file://{root}/secret.txt')",
    "upper-case scheme": "SELECT * FROM read_text('FILE://{root}/secret.txt')",
    "http": "SELECT * FROM read_csv('http://127.0.0.1:9/x.csv')",
    "https": "SELECT * FROM 'https://127.0.0.1:9/x.parquet'",
    "s3": "SELECT * FROM read_parquet('s3://bucket/x.parquet')",
    "hf": "SELECT * FROM read_parquet('hf://datasets/a/b.parquet')",
    "gzip": "SELECT * FROM read_csv('{root}/secret.csv', compression = 'gzip')",
    "multi-file by list comprehension": "SELECT * FROM read_text([f for f in ['{root}/secret.txt']])",
    "path made of pieces": "SELECT * FROM read_text('{root}' || '/secret' || '.txt')",
    "path by chr": "SELECT * FROM read_text(concat(chr(47), 'etc', chr(47), 'passwd'))",
    "path with a null": "SELECT * FROM read_text('{root}/secret.txt' || chr(0) || '.parquet')",
    "path by unicode escape": "SELECT * FROM read_text(U&'\\002fetc\\002fpasswd')",
    "path by escape string": "SELECT * FROM read_text(E'\\x2fetc\\x2fpasswd')",
    "lateral path": "SELECT * FROM (SELECT '{root}/secret.txt' AS p) AS a, LATERAL (SELECT * FROM read_text(a.p))",
    "path from a variable": "SELECT * FROM read_text(getvariable('x'))",
    "query function": "FROM query('SELECT * FROM read_text(''{root}/secret.txt'')')",
    "query function twice": "FROM query('FROM query(''SELECT * FROM read_text(\\'\\'/etc/passwd\\'\\')'')')",
    "query function of COPY": "FROM query('COPY (SELECT 1) TO ''{mine}/x.csv''')",
    "query function of ATTACH": "FROM query('ATTACH ''{mine}/x.db''')",
    "query function of SET": "FROM query('SET threads = 64')",
    "query_table": "FROM query_table('{root}/secret.csv')",
    "query_table of a list": "FROM query_table(['logs', '{root}/secret.csv'])",
    "serialized SQL": "FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''{root}/secret.txt'')'))",
    "read_duckdb": "FROM read_duckdb('{root}/x.db', table_name = 'a')",
    "Python variable": "SELECT * FROM descriptors",
    "Python module": "SELECT * FROM os",
    "INSTALL": "INSTALL httpfs",
    "FORCE INSTALL": "FORCE INSTALL httpfs FROM community",
    "LOAD": "LOAD '{root}/x.so'",
    "LOAD by name": "LOAD httpfs",
    "autoload by a function": "SELECT ST_Point(1, 2)",
    "autoload by a scan": "SELECT * FROM sqlite_scan('{root}/x.db', 'a')",
    "postgres_scan": "SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 'logs')",
    "iceberg_scan": "SELECT * FROM iceberg_scan('{root}')",
    "ATTACH": "ATTACH '{root}/x.db'",
    "ATTACH of the own folder": "ATTACH '{mine}/x.db' AS x",
    "ATTACH of memory": "ATTACH ':memory:' AS x",
    "ATTACH of postgres": "ATTACH 'host=127.0.0.1' AS x (TYPE postgres)",
    "ATTACH IF NOT EXISTS": "ATTACH IF NOT EXISTS '{mine}/x.db' AS x (READ_ONLY)",
    "DETACH": "DETACH memory",
    "USE": "USE memory.main",
    "IMPORT": "IMPORT DATABASE '{root}'",
    "EXPORT": "EXPORT DATABASE '{root}/export'",
    "COPY TO": "COPY (SELECT 1) TO '{root}/x.csv'",
    "COPY TO the own folder": "COPY (SELECT 1) TO '{mine}/x.parquet'",
    "COPY TO the lake's name": "COPY logs TO 'lake://date=2026-11-02/hour=22/logs.parquet'",
    "COPY partitioned": "COPY logs TO '{mine}' (FORMAT parquet, PARTITION_BY (model), OVERWRITE)",
    "COPY TO stdout": "COPY (SELECT 1) TO '/dev/stdout'",
    "COPY FROM": "COPY logs FROM '{root}/secret.csv'",
    "COPY FROM DATABASE": "COPY FROM DATABASE memory TO x",
    "COPY in WITH": "WITH a AS (COPY (SELECT 1) TO '{mine}/x.csv') SELECT 1",
    "COPY in WITH, of the lake's name": "WITH a AS (COPY (SELECT 1) TO 'lake://date=2026-11-02/hour=22/logs.parquet') SELECT 1",
    "COPY in nested WITH": "SELECT * FROM (WITH a AS (COPY (SELECT 1) TO '{root}/x.csv') SELECT 1)",
    "COPY in query()": "FROM query('WITH a AS (COPY (SELECT 1) TO ''{root}/x.csv'') SELECT 1')",
    "INSERT in WITH": "WITH a AS (INSERT INTO logs SELECT * FROM logs RETURNING 1) FROM a",
    "DELETE in WITH": "WITH a AS (DELETE FROM live_logs RETURNING *) FROM a",
    "UPDATE in WITH": "WITH a AS (UPDATE live_logs SET model = 'x' RETURNING 1) FROM a",
    "INSERT": "INSERT INTO logs (model) VALUES ('x')",
    "UPDATE": "UPDATE logs SET model = 'x'",
    "DELETE": "DELETE FROM logs",
    "TRUNCATE": "TRUNCATE live_logs",
    "MERGE": "MERGE INTO logs USING logs AS b ON true WHEN MATCHED THEN DELETE",
    "CREATE TABLE": "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE": "CREATE TEMPORARY TABLE x (i INTEGER)",
    "CREATE MACRO": "CREATE MACRO f(a) AS a + 1",
    "CREATE FUNCTION as a table": "CREATE OR REPLACE TEMP FUNCTION f() AS TABLE SELECT * FROM read_text('/etc/passwd')",
    "CREATE OR REPLACE VIEW": "CREATE OR REPLACE VIEW logs AS SELECT 1",
    "CREATE SECRET": "CREATE SECRET x (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "CREATE PERSISTENT SECRET": "CREATE PERSISTENT SECRET x IN local_file (TYPE s3)",
    "secrets": "SELECT * FROM duckdb_secrets()",
    "CREATE TYPE": "CREATE TYPE t AS ENUM (SELECT model FROM logs)",
    "CREATE SEQUENCE": "CREATE SEQUENCE s",
    "DROP VIEW": "DROP VIEW logs",
    "ALTER VIEW": "ALTER VIEW logs RENAME TO x",
    "COMMENT ON": "COMMENT ON VIEW logs IS 'x'",
    "SET external access": "SET enable_external_access = true",
    "SET by GLOBAL": "SET GLOBAL enable_external_access = true",
    "SET by SESSION": "SET SESSION memory_limit = '100GB'",
    "SET in capitals": "SeT MEMORY_LIMIT TO '100GB'",
    "SET lock": "SET lock_configuration = false",
    "SET allowed directories": "SET allowed_directories = ['/']",
    "SET quoted": 'SET "threads" = 64',
    "SET VARIABLE": "SET VARIABLE x = (SELECT content FROM read_text('/etc/passwd'))",
    "SET after a comment": "/* SELECT */ SET threads = 64",
    "SET after an unusual space": "\u00a0SET threads = 64",
    "SET after a byte-order mark": "\ufeffSET threads = 64",
    "SET in full-width letters": "\uff33\uff25\uff34 threads = 64",
    "RESET": "RESET memory_limit",
    "PRAGMA": "PRAGMA memory_limit = '100GB'",
    "PRAGMA call": "PRAGMA database_list",
    "PRAGMA profiling output": "PRAGMA profiling_output = '{root}/profile.json'",
    "CALL": "CALL pragma_version()",
    "CALL enable_logging": "CALL enable_logging(storage = 'file', storage_config = {{'path': '{root}'}})",
    "FROM enable_logging": "FROM enable_logging(storage = 'file', storage_config = {{'path': '{root}'}})",
    "FROM enable_profiling": "FROM enable_profiling(save_location = '{root}/profile.json')",
    "external resource": "FROM register_external_resource('x', '{root}/secret.csv')",
    "CHECKPOINT": "CHECKPOINT",
    "FORCE CHECKPOINT": "FORCE CHECKPOINT",
    "VACUUM": "VACUUM",
    "ANALYZE": "ANALYZE logs",
    "PREPARE": "PREPARE p AS SELECT 1",
    "EXECUTE": "EXECUTE p",
    "DEALLOCATE": "DEALLOCATE p",
    "BEGIN": "BEGIN TRANSACTION",
    "COMMIT": "COMMIT",
    "ROLLBACK": "ROLLBACK",
    "EXPLAIN ANALYZE": "EXPLAIN ANALYZE SELECT * FROM logs",
    "EXPLAIN ANALYZE of COPY": "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/x.csv'",
    "dynamic PIVOT": "PIVOT logs ON input_preview USING count(*)",
    "two statements": "SELECT 1; DROP VIEW logs",
    "second behind a comment": "SELECT 1 /* ; */ ; -- \n COPY (SELECT 1) TO '{root}/x.csv'",
    "second behind a dollar quote": "SELECT $$ ; $$; SET threads = 64",
    "second after a null": "SELECT 1\x00; SET threads = 64",
    "comment that never ends": "SELECT 1 /* ; DROP VIEW logs",
    "lone surrogate": "SELECT '\ud800'",
    "SHOW of a file": "DESCRIBE SELECT * FROM read_csv('{root}/secret.csv')",
    "SUMMARIZE of a file": "SUMMARIZE '{root}/secret.csv'",
    "DESCRIBE TABLE of a file": "DESCRIBE TABLE '{root}/secret.csv'",
    "python_map_function": "FROM python_map_function((SELECT 1))",
    "arrow_scan": "FROM arrow_scan(1, 2, 3)",
    "pandas_scan": "FROM pandas_scan(1)",
    "seq_scan": "FROM seq_scan(1)",
}  # fmt: skip
HARMLESS = {
    "settings": "SELECT * FROM duckdb_settings()",
    "views": "SELECT sql FROM duckdb_views()",
    "databases": "SELECT * FROM duckdb_databases()",
    "logs of DuckDB": "SELECT * FROM duckdb_logs",
    "temporary files": "FROM duckdb_temporary_files()",
    "file cache": "FROM duckdb_external_file_cache()",
    "catalogue": "SELECT * FROM information_schema.tables",
    "write_log": "SELECT write_log('x')",
    "current_setting": "SELECT current_setting('allowed_directories'), current_setting('temp_directory')",
    "bytes of own files": "SELECT size FROM read_blob('lake://date=2026-11-02/hour=22/logs.parquet')",
    "glob of the lake": "SELECT * FROM glob('lake://*')",
    "own project alone": "SELECT DISTINCT project_id FROM logs WHERE project_id <> 'mine' OR project_id = 'mine'",
}


def places(lake):
    return {
        "root": lake.parent, "lake": lake, "mine": lake / "project_id=mine", "other": lake / "project_id=other",
        "pid": os.getpid(),
    }  # fmt: skip


@pytest.mark.parametrize("name", ACCESSES)
async def test_accesses_are_refused(processes, lake, name):
    before = tree(lake.parent)
    found = await outcome(processes, ACCESSES[name].format(**places(lake)), source_of(lake), GENEROUS)
    if isinstance(found, Answer):  # nothing matched the name
        assert found.rows == [] or all(set(row) <= {None} for row in found.rows), found.rows
    else:
        assert isinstance(found, SqlRefused | SqlFailed), found
        check_sentence(found, lake)
    assert tree(lake.parent) == before


@pytest.mark.parametrize("name", HARMLESS)
async def test_what_is_answered_tells_nothing(processes, lake, name):
    found = await ask(processes, HARMLESS[name], source_of(lake), limits=GENEROUS)
    text = repr(found.rows)
    for secret in (CANARY, str(lake.parent), "project_id=", "postgres://"):
        assert secret not in text


def check_sentence(error: SandboxError, lake: Path) -> None:
    sentence = error.sentence
    assert sentence
    assert len(sentence) <= 1_000
    assert "Traceback" not in sentence
    assert "Stack Trace" not in sentence
    first = sentence.split("\n")[0]  # below it, DuckDB quotes the SQL
    assert CANARY not in sentence
    assert str(lake.parent) not in first
    assert "site-packages" not in sentence


WRITES = {
    "DELETE": "WITH a AS (DELETE FROM live_logs RETURNING *) FROM a",
    "UPDATE": "WITH a AS (UPDATE live_logs SET model = 'x' RETURNING model) FROM a",
    "INSERT": "WITH a AS (INSERT INTO live_logs SELECT * FROM live_logs RETURNING model) FROM a",
}


@pytest.mark.parametrize("name", WRITES)
async def test_live_logs_are_read_only(processes, lake, name):
    source = source_of(lake, live=ipc(hour_of_logs(FIRST_HOUR, "live")))
    found = await outcome(processes, WRITES[name], source, GENEROUS)
    assert isinstance(found, SqlRefused), found
    assert found.rule == "external-access"


async def test_no_table_function_reads_a_file(processes, lake):
    """Also those that later versions of DuckDB bring."""
    sql = "SELECT DISTINCT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro') ORDER BY 1"
    names = [row[0] for row in (await ask(processes, sql, source_of(lake), limits=GENEROUS)).rows]
    assert len(names) > 80
    for name in names:
        found = await outcome(
            processes, f"FROM \"{name}\"('{lake.parent}/secret.txt')", source_of(lake), TIGHT
        )
        assert CANARY not in repr(found.rows if isinstance(found, Answer) else found.sentence), name


RESOURCES = {
    "long range": "SELECT count(*) FROM range(1_000_000_000_000)",
    "cross join": "SELECT count(*) FROM range(10_000_000) a, range(10_000_000) b WHERE a.range + b.range = -1",
    "cross join of logs": "SELECT count(*) FROM " + ", ".join(f"logs AS l{i}" for i in range(9)),
    "endless recursion": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
    "endless recursion that keeps": "WITH RECURSIVE n(i) AS (SELECT 1 UNION SELECT i + 1 FROM n) SELECT count(*) FROM n",
    "recursion that doubles": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n, range(2)) SELECT count(*) FROM n",
    "recursion that grows text": "WITH RECURSIVE n(s) AS (SELECT 'ab' UNION ALL SELECT s || s FROM n) SELECT max(length(s)) FROM n",
    "series by microseconds": "SELECT count(*) FROM generate_series(TIMESTAMP '2000-01-01', TIMESTAMP '2100-01-01', INTERVAL 1 MICROSECOND)",
    "nested unnest": "SELECT count(*) FROM (SELECT unnest(range(100_000)) FROM (SELECT unnest(range(1_000_000))))",
    "sort": "SELECT range, hash(range) FROM range(100_000_000) ORDER BY hash(range) LIMIT 10_000 OFFSET 90_000_000",
    "groups": "SELECT range, count(*) FROM range(1_000_000_000) GROUP BY range HAVING count(*) > 1",
    "distinct texts": "SELECT count(DISTINCT md5(range::VARCHAR)) FROM range(100_000_000)",
    "window list": "SELECT max(len(l)) FROM (SELECT list(range) OVER (ORDER BY range) AS l FROM range(10_000_000))",
    "window without order": "SELECT sum(s) FROM (SELECT sum(range) OVER () AS s FROM range(200_000_000))",
    "string_agg": "SELECT length(string_agg(range::VARCHAR, ',')) FROM range(1_000_000_000)",
    "list": "SELECT len(list(range)) FROM range(1_000_000_000)",
    "histogram": "SELECT len(histogram(range)) FROM range(100_000_000)",
    "median": "SELECT median(range) FROM range(1_000_000_000)",
    "list by range": "SELECT len(range(1_000_000_000))",
    "list by series": "SELECT len(generate_series(1, 2_000_000_000))",
    "list resized": "SELECT len(list_resize([1], 2_000_000_000))",
    "list doubled": "SELECT len(flatten(list_transform(range(100_000), lambda x: range(100_000))))",
    "list_reduce": "SELECT length(list_reduce(range(40), lambda a, b: a || a || b, 'a'))",
    "list_reduce of lists": "SELECT len(list_reduce(list_transform(range(40), lambda x: [x]), lambda a, b: a || a || b))",
    "list_aggregate": "SELECT list_aggregate(range(100_000_000), 'histogram')",
    "damerau_levenshtein": "SELECT damerau_levenshtein(repeat('a', 30_000), repeat('b', 30_000))",
    "levenshtein": "SELECT levenshtein(repeat('ab', 50_000), repeat('ba', 50_000))",
    "levenshtein of a million": "SELECT levenshtein(repeat('ab', 500_000), repeat('ba', 500_000))",
    "jaro_winkler": "SELECT jaro_winkler_similarity(repeat('ab', 500_000), repeat('ba', 500_000))",
    "regexp_extract_all": "SELECT len(regexp_extract_all(repeat('a', 100_000_000), '.'))",
    "regexp_split": "SELECT len(regexp_split_to_array(repeat('a,', 100_000_000), ','))",
    "regexp_replace": "SELECT length(regexp_replace(repeat('a', 50_000_000), 'a', repeat('b', 1_000), 'g'))",
    "nested quantifiers": "SELECT regexp_matches(repeat('a', 5_000_000) || 'b', '^(a+)+$')",
    "large regex": "SELECT regexp_matches(repeat('a', 1_000), '((a{1,100}){1,100}){1,100}')",
    "LIKE": "SELECT repeat('a', 1_000_000) LIKE '%a%a%a%a%a%a%a%a%a%b'",
    "printf": "SELECT length(printf('%2000000000d', 1))",
    "format": "SELECT length(format('{{:>2000000000}}', 1))",
    "sha256": "SELECT sha256(repeat('a', 1_500_000_000))",
    "repeat": "SELECT length(repeat('a', 4_000_000_000))",
    "repeat by rows": "SELECT sum(length(repeat('a', 1_000_000_000 + range))) FROM range(100)",
    "repeat of lists": "SELECT len(repeat([1, 2, 3], 500_000_000))",
    "lpad": "SELECT length(lpad('a', 2_000_000_000, 'b'))",
    "rpad": "SELECT length(rpad('a', 2_000_000_000, 'ab'))",
    "bitstring": "SELECT bit_count(bitstring('1', 2_000_000_000))",
    "bar": "SELECT length(bar(1, 0, 1, 2_000_000_000))",
    "replace": "SELECT length(replace(repeat('a', 10_000_000), 'a', repeat('b', 1_000)))",
    "to_base64": "SELECT length(base64(repeat('a', 900_000_000)::BLOB))",
    "hex": "SELECT length(hex(repeat('a', 900_000_000)))",
    "url_encode": "SELECT length(url_encode(repeat('ä', 300_000_000)))",
    "JSON nested": "SELECT json(repeat('[', 100_000) || repeat(']', 100_000))",
    "JSON of many": "SELECT length(to_json(range(100_000_000)))",
    "JSON structure": "SELECT json_structure('[' || repeat('{{\"a\":1},', 10_000_000) || '1]')",
    "JSON merge": "SELECT json_group_array(repeat('a', 100_000)) FROM range(1_000_000)",
    "IN list": "SELECT count(*) FROM logs WHERE latency_us IN ({numbers})",
    "IN list by range": "SELECT count(*) FROM range(1_000_000_000) WHERE range IN (SELECT range FROM range(1_000_000_000))",
    "all columns of many rows": "SELECT a.*, b.* FROM logs a, logs b, logs c, logs d, logs e, logs f",
    "a row of 100 MB": "SELECT repeat('x', 100_000_000)",
    "cells of 1 MB": "SELECT repeat('x', 1_000_000 + range) FROM range(1_000_000)",
    "lists of 1 MB": "SELECT range(200_000 + range) FROM range(1_000_000)",
    "many columns": "SELECT {columns} FROM logs",
    "many columns by star": "SELECT COLUMNS('.*'), {stars} FROM logs",
    "huge literal": "SELECT length('{literal}')",
    "huge number": "SELECT 1{zeros}",
    "huge power": "SELECT 2::DOUBLE ** 100_000 ** 100_000, factorial(1_000_000)",
    "parentheses": "SELECT {open}1{close}",
    "nested subqueries": "SELECT * FROM {selects}logs{close_selects}",
    "nested lists": "SELECT {brackets}1{close_brackets}",
    "nested CASE": "SELECT {cases}1{ends}",
    "long chain of +": "SELECT 1{plus}",
    "long chain of AND": "SELECT true{ands}",
    "long chain of UNION": "SELECT 1{unions}",
    "joins that double": "WITH {doubling} SELECT count(*) FROM c15",
    "WITH that doubles": "WITH {views} SELECT count(*) FROM v20",
    "CUBE": "SELECT count(*) FROM logs GROUP BY CUBE ({cube})",
    "ASOF join": "SELECT count(*) FROM range(50_000_000) a ASOF JOIN range(50_000_000) b ON a.range >= b.range",
    "sleep": "SELECT sleep(10)",
    "pg_sleep": "SELECT pg_sleep(10)",
    "sleep by sleep_ms": "SELECT sleep_ms(10_000)",
    "reservoir sample": "SELECT count(*) FROM (SELECT * FROM range(1_000_000_000) USING SAMPLE reservoir(100_000_000))",
    "approx_top_k": "SELECT approx_top_k(range, 1_000_000) FROM range(100_000_000)",
    "union of types": "SELECT count(*) FROM test_vector_types({nulls})",
    "all types": "SELECT * FROM test_all_types(use_large_enum = true)",
    "test vectors": "FROM repeat_row(repeat('x', 100_000), num_rows = 10_000_000)",
    "query in query": "FROM query('FROM query(''SELECT count(*) FROM range(1_000_000_000_000)'')')",
    "bit_length": "SELECT bin(repeat('a', 300_000_000))",
    "reverse": "SELECT length(reverse(repeat('ä', 400_000_000)))",
    "list of logs": "SELECT len(list(l)) FROM logs l, range(1_000_000)",
}  # fmt: skip
PIECES = {
    "numbers": ",".join(str(number) for number in range(200, 3_000)),
    "columns": ", ".join(f"latency_us AS c{number}" for number in range(900)),
    "stars": ", ".join(["COLUMNS('.*')"] * 150),
    "literal": "x" * 19_000,
    "zeros": "0" * 19_000,
    "open": "(" * 5_000, "close": ")" * 5_000,
    "selects": "(SELECT * FROM " * 300, "close_selects": ")" * 300,
    "brackets": "[" * 5_000, "close_brackets": "]" * 5_000,
    "cases": "CASE WHEN true THEN " * 700, "ends": " END" * 700,
    "plus": " + 1" * 4_000,
    "ands": " AND true" * 2_000,
    "unions": " UNION ALL SELECT 1" * 1_000,
    "doubling": "c0 AS (FROM logs), "
    + ", ".join(f"c{i + 1} AS (SELECT a.* FROM c{i} a, c{i} b)" for i in range(15)),
    "views": "v0 AS NOT MATERIALIZED (FROM logs), "
    + ", ".join(f"v{i + 1} AS NOT MATERIALIZED (FROM v{i} UNION ALL FROM v{i})" for i in range(20)),
    "cube": ", ".join(f"latency_us + {number}" for number in range(12)),
    "nulls": ", ".join(["NULL::INTEGER[][]"] * 200),
}  # fmt: skip


def fill(sql: str) -> str:
    for name, piece in PIECES.items():
        sql = sql.replace(f"{{{name}}}", piece)
    return sql.replace("{{", "{").replace("}}", "}")


@pytest.mark.parametrize("name", RESOURCES)
async def test_resources_are_bounded(processes, lake, name):
    """Whichever limit is met first: that depends on the machine."""
    found = await outcome(processes, fill(RESOURCES[name]), source_of(lake), TIGHT)
    if isinstance(found, Answer):
        assert found.end.row_count <= TIGHT.rows
        assert len(found.data) <= TIGHT.bytes + MEBIBYTE
        peak, cpu_s = found.end.peak_bytes, found.end.cpu_s
    else:
        # Where memory ends in DuckDB's own code, its process may die of it.
        assert isinstance(found, SqlLimitExceeded | SqlRefused | SqlFailed | QueryProcessLost), found
        check_sentence(found, lake)
        peak, cpu_s = found.peak_bytes, found.cpu_s
    assert 0 < peak <= MAX_PEAK_BYTES
    assert (
        cpu_s <= TIGHT.cpu_s + 2.5
    )  # rounding of what it used before, and a second until the kernel insists


async def test_it_still_answers(processes, lake):
    for sql in ("SELECT 1", "SELECT count(*) FROM logs"):
        assert (await ask(processes, sql, source_of(lake), limits=GENEROUS)).end.row_count == 1
