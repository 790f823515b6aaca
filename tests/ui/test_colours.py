"""Contrast, by WCAG 2.2: text 4.5 to 1, graphics 3 to 1, on both backgrounds of a theme."""

from __future__ import annotations

import tomllib

import pytest

from streamlit_app.__main__ import _FOLDER
from streamlit_app.colours import PALETTES, colour_of, outcome_colour

THEME = tomllib.loads((_FOLDER / ".streamlit/config.toml").read_text())["theme"]
TEXT, GRAPHIC = 4.5, 3.0
SHADES = ("error", "warning", "good", "p50", "p95", "p99", "ttft", "previous")


def luminance(colour: str) -> float:
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_the_measure_knows_black_on_white():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", PALETTES)
def test_graphics_stand_out(theme):
    palette = PALETTES[theme]
    assert palette.background == THEME[theme]["backgroundColor"]
    colours = {name: getattr(palette, name) for name in SHADES} | dict(palette.providers)
    colours |= {f"other {number}": colour for number, colour in enumerate(palette.others)}
    for name, colour in colours.items():
        assert contrast(colour, palette.background) >= GRAPHIC, name


@pytest.mark.parametrize("theme", PALETTES)
def test_text_can_be_read(theme):
    chosen = THEME[theme]
    texts = [chosen[key] for key in chosen if key.endswith(("extColor", "linkColor", "primaryColor"))]
    for background in (
        chosen["backgroundColor"],
        chosen["secondaryBackgroundColor"],
        THEME[theme]["sidebar"]["backgroundColor"],
    ):
        for text in (*texts, PALETTES[theme].text, PALETTES[theme].muted):
            assert contrast(text, background) >= TEXT, (text, background)


@pytest.mark.parametrize("theme", PALETTES)
def test_only_errors_are_red(theme):
    palette = PALETTES[theme]

    def is_red(colour: str) -> bool:
        red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
        return red > 1.6 * green and red > 1.6 * blue

    assert is_red(palette.error)
    assert not any(is_red(colour) for colour in (*palette.providers.values(), *palette.others, palette.p99))


@pytest.mark.parametrize("theme", PALETTES)
def test_a_name_has_its_colour_wherever_it_stands(theme):
    palette = PALETTES[theme]
    assert colour_of("openai", palette) == palette.providers["openai"]
    assert colour_of("a new one", palette) == colour_of("a new one", palette) in palette.others
    assert outcome_colour("error", palette) == palette.error
    assert outcome_colour("who knows", palette) == palette.muted
