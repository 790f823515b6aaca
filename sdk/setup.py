"""The compiled modules. They are optional: without a C compiler, their twins in Python do the same.

LLM_OBSERVE_NO_EXTENSIONS=1 leaves them out, which makes a wheel for every platform.
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup

_FOLDER = Path("llm_observe/_compiled")


def _extensions() -> list[Extension]:
    if os.environ.get("LLM_OBSERVE_NO_EXTENSIONS"):
        return []
    shared = sorted(map(str, _FOLDER.glob("*.pxd")))
    return [
        Extension(f"llm_observe._compiled.{source.stem}", [str(source)], depends=shared, optional=True)
        for source in sorted(_FOLDER.glob("*.pyx"))
    ]


setup(ext_modules=_extensions())
