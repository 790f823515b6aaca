"""CSV that a spreadsheet reads back as it was, and runs nothing of."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_observe.v1.log_pb2 import Log

from analytics.result_files import escape_formula, unescape_formula
from codec.rows import DURATIONS, to_row
from server.reads.log_csv import COLUMNS, format_rows
from storage.columns import LogRow
from tests.support.logs import make_log
from tests.support.prices import BOOK

NOW = datetime(2026, 11, 25, 10, 30, 0, 1, tzinfo=UTC)
FORMULAS = (
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\N{FULLWIDTH EQUALS SIGN}1",
    "\N{FULLWIDTH PLUS SIGN}1",
    "\N{FULLWIDTH HYPHEN-MINUS}1",
    "\N{FULLWIDTH COMMERCIAL AT}x",
    "=",
    "\tx",
    "\rx",
)
PREFIXES = ("", " ", "'", '"', "''", ' "', "\u00a0", "\u200b", "\ufeff", "“", "\x01", "\t", "\u3000'")
texts = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30
) | st.sampled_from([prefix + formula for prefix in PREFIXES for formula in FORMULAS])


def parse(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))


def row_of(**values) -> LogRow:
    return to_row(make_log(), project_id="default", receive_time=NOW, prices=BOOK)._replace(**values)


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_becomes_text(prefix, formula):
    assert escape_formula(prefix + formula) == f"'{prefix}{formula}"


@pytest.mark.parametrize("text", ["", "a", "a=1", "1-1", "'quoted'", "é", "{}", "[1]", "100 %", "a\n=1"])
def test_other_text_stays(text):
    assert escape_formula(text) == text


@given(texts)
def test_escaping_can_be_undone(text):
    assert unescape_formula(escape_formula(text)) == text


@given(st.lists(st.tuples(texts, texts, texts), max_size=5))
def test_every_cell_is_read_back(cells):
    rows = [row_of(input_preview=a, model=b, tags=c or None) for a, b, c in cells]
    parsed = parse(b"".join(format_rows(rows)))
    assert [len(line) for line in parsed] == [len(COLUMNS)] * len(rows)
    for (a, b, c), line in zip(cells, parsed, strict=True):
        shown = dict(zip(COLUMNS, line, strict=True))
        assert [unescape_formula(shown[name]) for name in ("input_preview", "model", "tags")] == [a, b, c]


def test_values_are_written_as_documented():
    row = row_of(
        latency_us=1_500_000,
        http_status=None,
        streamed=True,
        cost_nano_usd=0,
        finish_reason="-",
        metadata='{"a": "b"}',
    )
    (line,) = parse(b"".join(format_rows([row])))
    shown = dict(zip(COLUMNS, line, strict=True))
    assert shown["log_id"] == str(row.log_id)
    assert shown["receive_time"] == "2026-11-25T10:30:00.000001Z"
    assert shown["latency_us"] == "1500000"
    assert shown["http_status"] == ""
    assert shown["streamed"] == "true"
    assert shown["cost_nano_usd"] == "0"
    assert shown["finish_reason"] == "'-"
    assert shown["metadata"] == '{"a": "b"}'
    assert shown["outcome"] == "success"


@pytest.mark.parametrize("number", [-5, 0, 2**62])
def test_numbers_stay_numbers(number):
    (line,) = parse(b"".join(format_rows([row_of(input_token_count=number)])))
    assert line[COLUMNS.index("input_token_count")] == str(number)


def test_every_field_of_a_log_is_a_column():
    assert [
        name.removesuffix("_us") if name.removesuffix("_us") in DURATIONS else name for name in COLUMNS
    ] == [field.name for field in Log.DESCRIPTOR.fields]


def test_lines_end_as_rfc_4180_says():
    data = b"".join(format_rows([row_of(input_preview="a\nb"), row_of()]))
    assert data.endswith(b"\r\n")
    assert data.count(b"\r\n") == 2


def test_chunks_hold_whole_lines_and_stay_small():
    widest = row_of(
        input_preview='"\U0001f600' * 250,
        output_preview='"' * 500,
        error_message='"' * 500,
        metadata='{"' + '\\"' * 28_000 + '": "b"}',
    )
    chunks = format_rows([widest] * 40)
    assert len(chunks) > 5
    assert max(map(len, chunks)) < 1_000_000
    for chunk in chunks:
        assert all(len(line) == len(COLUMNS) for line in parse(chunk))


def test_the_document_names_every_column_in_order():
    text = (Path(__file__).parents[2] / "docs/csv.md").read_text()
    documented = [line.split("`")[1] for line in text.splitlines() if line.startswith("| `")]
    assert documented == list(COLUMNS)
