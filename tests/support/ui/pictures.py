"""Pictures of pages, compared with those that somebody looked at.

They are kept at half size and in few colours. Fonts are drawn a little differently on each machine: small
differences are forgiven. Another release of Chromium may lay out pages differently: it is not compared.
``UPDATE_PICTURES=1`` keeps the pictures as they are now: look at them, all of them if Chromium is another.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image, ImageChops, ImageFilter

from tests.support.ui.browser import picture_of

if TYPE_CHECKING:
    from playwright.async_api import Page

FOLDER = Path(__file__).parent.parent.parent / "ui" / "pictures"
UPDATE = "UPDATE_PICTURES"
_RELEASE = FOLDER / "chromium.txt"
"""Names the release of Chromium that took the pictures."""
_COLOURS = 128
_FORGIVEN_HEIGHT = 0.02
_FORGIVEN_DIFFERENCE = 40
"""Of 255: how much a blurred pixel may differ."""
_FORGIVEN_SHARE = 0.012
"""How many pixels may differ more."""


async def assert_picture(page: Page, name: str, folder: Path, *, loading: bool = False) -> None:
    """Compare what the page shows with the picture of that name, for its width and theme.

    ``folder`` is where the new picture is put if they differ: the test's ``tmp_path``. ``loading`` takes the
    page as it is; else it is taken when it changes no more.
    """
    release = _release_of(page)
    width = (page.viewport_size or {"width": 0})["width"]
    dark = await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    path = FOLDER / f"{name}-{width}-{'dark' if dark else 'light'}.png"
    taken = _shrink(await (page.screenshot(animations="disabled") if loading else picture_of(page)))
    if os.environ.get(UPDATE):
        taken.save(path, optimize=True)
        _RELEASE.write_text(f"{release}\n")
        return
    if release != _RELEASE.read_text().strip():
        pytest.skip(f"the pictures are of Chromium {_RELEASE.read_text().strip()}, and this is {release}")
    if not path.exists():
        pytest.fail(f"no picture {path.name}: take it with {UPDATE}=1, and look at it")
    difference = compare(Image.open(path), taken)
    if difference:
        taken.save(folder / path.name)
        pytest.fail(
            f"{path.name}: {difference}; now {folder / path.name}. If it is right, take it with {UPDATE}=1"
        )


def _release_of(page: Page) -> str:
    browser = page.context.browser
    return browser.version.partition(".")[0] if browser else ""


def compare(expected: Image.Image, taken: Image.Image) -> str:
    """Return how two pictures differ; empty if they do not, or hardly."""
    if (
        expected.width != taken.width
        or abs(expected.height - taken.height) > _FORGIVEN_HEIGHT * expected.height
    ):
        return f"{taken.size} instead of {expected.size}"
    size = (expected.width, min(expected.height, taken.height))
    first, second = (
        image.convert("RGB").crop((0, 0, *size)).filter(ImageFilter.BoxBlur(3)) for image in (expected, taken)
    )
    worst = ImageChops.difference(first, second).convert("L").histogram()
    share = sum(worst[_FORGIVEN_DIFFERENCE:]) / (size[0] * size[1])
    return f"{share:.1%} of it differ" if share > _FORGIVEN_SHARE else ""


def _shrink(picture: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    half = image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)
    return half.quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
