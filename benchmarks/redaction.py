"""Recall by kind and by context, harmless texts altered, and speed.

    python -m benchmarks.redaction [--beside] [folder]

First the matrix of tests/support/redaction, made at run time, then the labelled texts in a folder with their
scorer (score.py), by default ../shared/data/redaction beside the repository. They are not part of it and are
skipped where absent. With ``--beside``, the matrix is also given to Presidio's pattern recognisers and to
detect-secrets, where they are installed (neither is a dependency: use an environment of its own, with the SDK
on PYTHONPATH).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median

from llm_observe.redaction import Redactor

from tests.support.redaction.chance import Chance
from tests.support.redaction.contexts import CONTEXTS
from tests.support.redaction.kinds import KEYS, KINDS, NAMED, PERSONAL, SHAPED
from tests.support.redaction.matrix import cases, survives_in
from tests.support.redaction.negatives import negatives

_REDACTOR = Redactor()
_SEEDS = (11, 12)
_GROUPS = {"personal data": PERSONAL, "keys": KEYS, "keys by shape": SHAPED, "by their name": NAMED}
_SHOWN = 12
_SMALL = 3
"""Seconds are precious for slow tools: each of their kinds is drawn from every third context."""
Redact = Callable[[str], str]


def redact(text: str) -> str:
    """The function that is scored."""
    return _REDACTOR.redact(text)


def measure(name: str, function: Redact, *, step: int = 1) -> None:
    """Print the recall on the matrix, the share of harmless texts altered, and the speed."""
    total, missed_kinds, missed_contexts, count = 0, Counter[str](), Counter[str](), Counter[str]()
    contexts = Counter[str]()
    times: list[float] = []
    for case in (case for seed in _SEEDS[: 1 if step > 1 else None] for case in cases(seed)):
        total += 1
        if total % step:
            continue
        begin = time.perf_counter()
        shown = function(case.text)
        times.append(time.perf_counter() - begin)
        count[case.kind] += 1
        contexts[case.context] += 1
        if survives_in(case, shown):
            missed_kinds[case.kind] += 1
            missed_contexts[case.context] += 1
    texts = [text for seed in range(3) for text in negatives(Chance(seed))]
    altered = sum(function(text) != text for text in texts)
    print(f"{name}: {sum(count.values()):,} texts, {len(count)} kinds in {len(contexts)} contexts")
    print(
        f"  macro recall by kind {_macro(count, missed_kinds):.4f},"
        f" by context {_macro(contexts, missed_contexts):.4f}"
    )
    for group, kinds in _GROUPS.items():
        print(
            f"    {group:15} {_macro({kind: count[kind] for kind in kinds if count[kind]}, missed_kinds):.4f}"
        )
    for label, missed, all_of in (("kinds", missed_kinds, count), ("contexts", missed_contexts, contexts)):
        worst = ", ".join(f"{each} {1 - n / all_of[each]:.2f}" for each, n in missed.most_common(_SHOWN))
        print(f"  {label} missed most: {worst or 'none'}")
    print(
        f"  harmless texts altered {altered / len(texts):.2%} of {len(texts)};"
        f" {median(times) * 1e6:.0f} µs a text"
    )


def _macro(count: dict[str, int], missed: Counter[str]) -> float:
    return mean(1 - missed[each] / n for each, n in count.items())


def _presidio() -> Redact:
    from presidio_analyzer import (  # type: ignore[import-not-found] # optional  # noqa: PLC0415 - optional
        RecognizerRegistry,
    )

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    patterns = [each for each in registry.recognizers if type(each).__name__ != "SpacyRecognizer"]

    def replace(text: str) -> str:
        found = [
            result for each in patterns for result in each.analyze(text, each.supported_entities, None) or ()
        ]
        for result in sorted(found, key=lambda each: -each.start):
            text = text[: result.start] + "[X]" + text[result.end :]
        return text

    return replace


def _detect_secrets() -> Redact:
    from detect_secrets.core.scan import (  # type: ignore[import-not-found] # optional  # noqa: PLC0415 - optional
        scan_line,
    )
    from detect_secrets.settings import (  # type: ignore[import-not-found] # optional  # noqa: PLC0415 - optional
        default_settings,
    )

    def replace(text: str) -> str:
        with default_settings():
            for secret in {each.secret_value for line in text.splitlines() for each in scan_line(line)}:
                text = text.replace(secret or "\0", "[X]")
        return text

    return replace


def _measure_beside() -> None:
    for name, make in (("Presidio, patterns", _presidio), ("detect-secrets", _detect_secrets)):
        try:
            measure(name, make(), step=_SMALL)
        except ImportError as error:
            print(f"{name}: not installed ({error.name})")


def _score(folder: Path) -> int:
    if not (folder / "score.py").exists():
        print(f"no labelled texts in {folder}: name their folder as the argument")
        return 0
    root = str(Path(__file__).parent.parent)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "score.py", "benchmarks.redaction:redact", "--split", "dev"]
    done = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True)
    for key, value in json.loads(done.stdout).items() if done.returncode == 0 else ():
        print(f"  {key}: {value}")
    return done.returncode


def main() -> int:
    arguments = [each for each in sys.argv[1:] if each != "--beside"]
    measure(f"LLM Observe, {len(KINDS)} kinds, {len(CONTEXTS)} contexts", redact)
    if "--beside" in sys.argv:
        _measure_beside()
    return _score(Path(arguments[0] if arguments else "../shared/data/redaction").resolve())


if __name__ == "__main__":
    raise SystemExit(main())
