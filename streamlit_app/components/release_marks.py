"""Thin lines in charts over time, where releases of the application began."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import altair as alt

from streamlit_app import format as fmt
from streamlit_app.components.charts import chart_of, time_axis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from llm_observe.v1.analytics_service_pb2 import ListReleasesResponse

    from streamlit_app.components.charts import Look, Row, Step

_MAX_MARKS: Final = 12
"""More would cover the chart."""
_MAX_NAMES: Final = 3
_APART: Final = 0.025
"""Releases that began within this share of the window have one line."""
_SIGN: Final = "▼"


class ReleaseMark(NamedTuple):
    """Releases that began at about the same time, oldest first, and when the first of them did."""

    time: datetime
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        """The names, in few words."""
        shown, more = self.names[-_MAX_NAMES:], len(self.names) - _MAX_NAMES
        return ", ".join(shown) + (f" and {more} before" if more > 0 else "")


class ReleaseMarks(NamedTuple):
    """The latest marks of a window, oldest first; ``are_all`` tells whether there were no more."""

    marks: Sequence[ReleaseMark] = ()
    are_all: bool = True

    @property
    def note(self) -> str:
        """What the sign in the charts means; nothing without marks."""
        if not self.marks:
            return ""
        return f"{_SIGN} new release" + ("" if self.are_all else f": the latest {len(self.marks)}")

    def describe(self, look: Look) -> str:
        """Return a sentence, for those who do not see the chart; nothing without marks."""
        if not self.marks:
            return ""
        begun = (f"{mark.words} at {fmt.date_time(mark.time, look.zone)}" for mark in self.marks)
        which = "New releases" if self.are_all else "The latest new releases"
        return f" {which}: {'; '.join(begun)}."

    def names_by_step(self, steps: Sequence[Step]) -> dict[datetime, str]:
        """Return the names of the releases that began in each step, by its start."""
        return {
            step.start: ", ".join(mark.words for mark in begun)
            for step in steps
            if (begun := [mark for mark in self.marks if step.start <= mark.time < step.end])
        }


def release_marks(answer: ListReleasesResponse | None, length: timedelta) -> ReleaseMarks:
    """Return the marks of a window of a length; none where the server does not know releases."""
    marks: list[ReleaseMark] = []
    for release in reversed(answer.releases if answer else ()):
        time = fmt.timestamp(release.first_time)
        if marks and time - marks[-1].time < length * _APART:
            marks[-1] = marks[-1]._replace(names=(*marks[-1].names, release.name))
        else:
            marks.append(ReleaseMark(time, (release.name,)))
    are_all = len(marks) <= _MAX_MARKS and not (answer and answer.truncated)
    return ReleaseMarks(marks[-_MAX_MARKS:], are_all)


def release_layers(found: ReleaseMarks, look: Look, *, with_words: bool = True) -> list[alt.Chart]:
    """Return the layers of a chart that show the marks; none without marks.

    ``with_words`` adds a sign at the top, and a tooltip: it is for the upper one of two charts.
    """
    if not found.marks:
        return []
    rows: list[Row] = [
        {
            "at": mark.time,
            "names": mark.words,
            "when": fmt.exact_time(mark.time, look.zone),
            "utc": fmt.exact_time(mark.time, UTC),
        }
        for mark in found.marks
    ]
    base = chart_of(rows).encode(x=time_axis(look.bounds, labels=with_words, bars=False))
    line = base.mark_rule(clip=True, strokeWidth=1, color=look.colours.text, opacity=0.6)
    if not with_words:
        return [line]
    tooltips = [
        alt.Tooltip("names:N", title="new release"),
        alt.Tooltip("when:N", title="first call"),
        alt.Tooltip("utc:N", title="UTC"),
    ]
    target = base.mark_rule(clip=True, strokeWidth=9, opacity=0).encode(tooltip=tooltips)
    sign = base.mark_point(
        shape="triangle-down", size=52, filled=True, opacity=1, color=look.colours.text
    ).encode(y=alt.value(3), tooltip=tooltips)
    return [line, target, sign]
