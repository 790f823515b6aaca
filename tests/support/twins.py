"""The compiled modules and their twins in Python: tests run on both."""

from __future__ import annotations

from functools import partial
from types import ModuleType

import pytest
from llm_observe.redaction import Redactor

from analytics.pricing.book import PriceBook
from codec import _reader, _scan, packing, scan
from codec.batch import AcceptedBatch, ReadBatch
from codec.reader import BatchReader
from tests.support.prices import BOOK

on_both_readers = pytest.mark.parametrize(
    "twin", [pytest.param(_reader, id="compiled"), pytest.param(packing, id="python")]
)
on_both_scans = pytest.mark.parametrize(
    "twin", [pytest.param(_scan, id="compiled"), pytest.param(scan, id="python")]
)


def read_with(
    twin: ModuleType, batch: AcceptedBatch, redactor: Redactor | None = None, prices: PriceBook = BOOK
) -> ReadBatch:
    """Read a batch as BatchReader does, with the given twin."""
    redactor = redactor or Redactor()
    report_of = partial(BatchReader(redactor, prices)._report_of, batch)
    found: ReadBatch = twin.read_batch(batch.payload, redactor, prices, report_of)
    return found
