"""The Analytics page: reports, SQL, and what it says where there is no answer."""

from __future__ import annotations

import pytest

from tests.support.ui.app import page


def texts(elements) -> str:
    return " ".join(element.value.replace("\\", "") for element in elements)


def test_a(connected):
    app = page("analytics").run()
    assert not app.exception, app.exception
    print(texts(app.header), texts(app.caption)[:200])


@pytest.mark.parametrize(
    "q",
    [
        dict(report="cost", window="30d"),
        dict(report="hours-of-day", window="30d"),
        dict(tab="sql", sql="SELECT model, count(*) c FROM logs GROUP BY ALL"),
        dict(tab="sql", sql="SELECT x\nFROM logs"),
    ],
)
def test_b(connected, q):
    app = page("analytics", **q).run()
    assert not app.exception, app.exception
    print(texts(app.header), texts(app.caption)[:300], texts(app.error), [e.type for e in app.main])
