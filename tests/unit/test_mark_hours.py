"""Every statement that changes logs marks its hours (part mark_hours) and adds deltas of its minutes."""

from __future__ import annotations

import re
from pathlib import Path

from storage.sql import load_queries

STORAGE = Path(__file__).parent.parent.parent / "storage"
WRITES = re.compile(r"\b(INSERT INTO|UPDATE|DELETE FROM|MERGE INTO) (ONLY )?logs\b")
MARKED_BY_OTHERS = {
    # write_logs follows in the same transaction, and finds the hour of before in the row's minute.
    "move_logs",
}
PRODUCT = ("storage", "analytics", "codec", "worker", "server", "stack")


def test_statements_that_change_logs_mark_their_hours():
    writers = set()
    for path in STORAGE.glob("*.sql"):
        if path.name == "parts.sql":
            continue
        for query in load_queries(str(path)).values():
            if WRITES.search(query.text):
                writers.add(query.name)
                marks = "UPDATE lake_hours SET generation" in query.text
                assert marks or query.name in MARKED_BY_OTHERS, query.name
                # Digests of logs hold for as long as there are none (storage.log_digests).
                assert "INSERT INTO rollup_deltas" in query.text or not marks, query.name
                assert "HAVING" not in query.text, query.name
    assert writers == {"move_logs", "write_logs", "set_prices", "delete_logs", "erase_logs"}


def test_rows_are_copied_in_one_place_whose_next_statement_marks_them():
    root = STORAGE.parent
    copies = [
        path
        for package in PRODUCT
        for path in (root / package).rglob("*.py")
        if re.search(r"""copy\(\s*["']logs["']""", path.read_text("utf-8"))
    ]
    assert copies == [STORAGE / "log_writes.py"]
    assert "UPDATE lake_hours SET generation" in load_queries(str(copies[0]))["mark_new_hours"].text
    assert re.search(r"""copy\(\s*["']rollup_deltas["']""", copies[0].read_text("utf-8"))
