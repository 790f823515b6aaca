"""Marks of releases in charts: few, named, and within their step."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from llm_observe.v1 import analytics_service_pb2 as pb

from streamlit_app.colours import PALETTES
from streamlit_app.components.charts import Look, Step
from streamlit_app.components.release_marks import ReleaseMark, release_layers, release_marks
from streamlit_app.state.window import Bounds
from tests.support.ui.sample import NOW

DAY = timedelta(days=1)
LOOK = Look(Bounds(NOW - DAY, NOW, timedelta(minutes=15)), PALETTES["light"], UTC, "")


def answer_of(*minutes: float, truncated: bool = False) -> pb.ListReleasesResponse:
    """Return releases v0, v1 and so on that began so many minutes into the window."""
    answer = pb.ListReleasesResponse(truncated=truncated)
    for number, minute in reversed(list(enumerate(minutes))):
        answer.releases.add(name=f"v{number}").first_time.FromDatetime(NOW - DAY + timedelta(minutes=minute))
    return answer


def mark(minute: float, *names: str) -> ReleaseMark:
    return ReleaseMark(NOW - DAY + timedelta(minutes=minute), names)


@pytest.mark.parametrize(
    ("answer", "marks", "note"),
    [
        (None, [], ""),  # a server that does not know releases
        (answer_of(), [], ""),
        (answer_of(7), [mark(7, "v0")], "▼ new release"),
        (answer_of(7, 90), [mark(7, "v0"), mark(90, "v1")], "▼ new release"),
        (answer_of(7, 15, 90), [mark(7, "v0", "v1"), mark(90, "v2")], "▼ new release"),
        (answer_of(7, truncated=True), [mark(7, "v0")], "▼ new release: the latest 1"),
        (
            answer_of(*range(0, 30 * 40, 40)),
            [mark(40 * number, f"v{number}") for number in range(18, 30)],
            "▼ new release: the latest 12",
        ),
    ],
)
def test_marks_are_few_and_say_so(answer, marks, note):
    found = release_marks(answer, DAY)
    assert list(found.marks) == marks
    assert found.note == note
    assert bool(release_layers(found, LOOK)) == bool(marks)


def test_releases_near_each_other_have_one_mark_that_names_the_latest():
    found = release_marks(answer_of(*range(6)), DAY)
    assert [each.words for each in found.marks] == ["v3, v4, v5 and 3 before"]


def test_a_table_names_the_releases_of_a_step():
    steps = [
        Step(NOW - DAY + timedelta(hours=hour), NOW - DAY + timedelta(hours=hour + 1), None, is_finished=True)
        for hour in range(3)
    ]
    found = release_marks(answer_of(59, 60, 119), DAY)
    names = found.names_by_step(steps)
    assert names == {steps[0].start: "v0, v1", steps[1].start: "v2"}
