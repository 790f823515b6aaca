"""Numbers that states give to people, with check digits. Each is a kind of its own, off unless asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe._redaction.normalise import TextRange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_observe._redaction.normalise import Scan


class NationalId(NamedTuple):
    """A state's number of a person."""

    kind: str
    pattern: re.Pattern[str]
    """Digits and separators; it reads no neighbour but digits."""
    is_valid: Callable[[str], bool]
    """Takes the letters and digits."""


def _weighted(weights: tuple[int, ...]) -> Callable[[str], int]:
    return lambda digits: sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False))


def _is_cpf(digits: str) -> bool:
    """Brazil: two check digits, mod 11."""
    if len(set(digits)) == 1:
        return False
    checks = [
        sum((count + 1 - index) * int(digits[index]) for index in range(count)) * 10 % 11 % 10
        for count in (9, 10)
    ]
    return digits[9:] == "".join(map(str, checks))


_CHINA: Final = _weighted((7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2))
_POLAND: Final = _weighted((1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1))
_VERHOEFF: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTED: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415",
    "7046913258",
)  # fmt: skip


def _is_aadhaar(digits: str) -> bool:
    """India: Verhoeff."""
    check = 0
    for index, digit in enumerate(reversed(digits)):
        check = int(_VERHOEFF[check][int(_PERMUTED[index % 8][int(digit)])])
    return check == 0


def _is_nhs(digits: str) -> bool:
    """United Kingdom, health service: mod 11."""
    return _weighted((10, 9, 8, 7, 6, 5, 4, 3, 2, 1))(digits) % 11 == 0


def _is_resident_id(text: str) -> bool:
    """China: mod 11, X for ten."""
    return "10X98765432"[_CHINA(text[:17]) % 11] == text[17].upper()


def _is_insee(digits: str) -> bool:
    """France: mod 97."""
    return 97 - int(digits[:13]) % 97 == int(digits[13:])


def _is_sin(digits: str) -> bool:
    """Canada: Luhn."""
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    return sum(doubled[int(each)] if index % 2 else int(each) for index, each in enumerate(digits)) % 10 == 0


_ALL: Final = (
    NationalId("ID_BR", re.compile(r"(?<!\d)\d{3}\.?\d{3}\.?\d{3}-?\d{2}(?!\d)"), _is_cpf),
    NationalId("ID_CA", re.compile(r"(?<!\d)\d{3}([ -])\d{3}\1\d{3}(?!\d)"), _is_sin),
    NationalId("ID_CN", re.compile(r"(?<!\d)\d{6}(?:19|20)\d{9}[\dXx](?!\d)"), _is_resident_id),
    NationalId("ID_FR", re.compile(r"(?<!\d)[12] ?\d\d ?\d\d ?\d\d ?\d{3} ?\d{3} ?\d\d(?!\d)"), _is_insee),
    NationalId("ID_IN", re.compile(r"(?<!\d)[2-9]\d{3}([ -]?)\d{4}\1\d{4}(?!\d)"), _is_aadhaar),
    NationalId("ID_PL", re.compile(r"(?<!\d)\d{11}(?!\d)"), lambda digits: _POLAND(digits) % 10 == 0),
    NationalId("ID_UK", re.compile(r"(?<!\d)\d{3}[ -]\d{3}[ -]\d{4}(?!\d)"), _is_nhs),
)
_SIGNS: Final = dict.fromkeys(map(ord, " .-"))


def find_national_ids(scan: Scan) -> Iterator[TextRange]:
    """Yield national ids of every kind."""
    for each in _ALL:
        for match in each.pattern.finditer(scan.text):
            if each.is_valid(match.group().translate(_SIGNS)):
                yield TextRange(*match.span(), each.kind)
