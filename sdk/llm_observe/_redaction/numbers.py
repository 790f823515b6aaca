"""Numbers of people among clusters of digits: cards, social security numbers, phone numbers.

A cluster is digits with short gaps, whatever stands around it. In a cluster each shape is tried at each group
of digits, so that what stands beside a number decides nothing: its edges are those of its digits.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from llm_observe._redaction.normalise import TextRange

if TYPE_CHECKING:
    from collections.abc import Iterator

    from llm_observe._redaction.normalise import Scan

_CLUSTER: Final = re.compile(rb"0(?:[ ().\-/+,;|]{0,3}0){5,}")
"""Matches in Scan.classes."""
_HARMLESS: Final = re.compile(r"(?!00)(?:\d{6,8}|\d+\.\d+|\d{4}-\d{1,2}-\d{1,2}(?: [\d ()/-]*)?)")
_MAX_HARMLESS_DIGITS: Final = 11
_SSN_DIGITS: Final = 9
_GROUP: Final = re.compile(r"\d+")
_SPLIT: Final = re.compile(r"[,;|]|\d[ ./-]{1,2}(?=\+\d)|  +")
"""Ends a phone number: a sign that joins no number, a following plus, or two spaces."""
_EXTENSION: Final = re.compile(r" ?(?:x|ext\.? ?)\d{1,6}(?!\w)")
_US: Final = re.compile(
    r"(?<![\d$])(?<!\d\.)(?:\+?1[ .-]{0,2})?(?:\(\d{3}\)[ .-]?|\d{3}([ .-]))\d{3}(?(1)\1|[ .-])\d{4}(?!\d)"
)
_SSN: Final = re.compile(r"(?<!\d)(?<!\d-)\d{3}(?:-\d{2}-|  ?\d{2}  ?)\d{4}(?!\d)(?!-\d)")
_INTERNATIONAL: Final = re.compile(r"(?<!\d)(?:\+ ?|(?<![\d.,]-)00(?=[1-9]))\d(?:[ ./-]{0,2}\(?\d\)?){6,40}")
_NOT_A_PHONE: Final = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?: .*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d+\.\d+|\d{1,3}(?:\.\d{1,3}){2,4}"
    r"|(?:19|20)\d\d[-/](?:19|20)\d\d.*|\d{4}[./]\d\d[./]\d\d(?: .*)?"
)
_PHONE_WORDS: Final = (
    "phone", "mobile", "tel", "cell", "fax", "call", "office", "desk", "number", "reach", "contact",
    "answer", "text ", "message", "sms", "whatsapp", "dial", "ring", "hotline", "line", "mobil", "handy",
    "rufnummer", "móvil", "telé", "telefon", "portable", "cellulare", "celular",
    "电话", "手机", "電話", "携帯",
    "전화", "телефон", "тел",
)  # fmt: skip
_NUMBER_WORDS: Final = (
    "order", "ticket", "isbn", "invoice", "tracking", "version", "snowflake", "timestamp", " id", "ean",
    "gtin", "barcode", "sku", "matrix", "issn", "upc", "part n", "serial", "model", "lot ",
)  # fmt: skip
_PHONE_NAMES: Final = (
    "phone", "mobile", "tel", "cell", "fax", "call", "office", "whatsapp", "handy", "电话", "手机", "電話",
    "携帯", "전화", "телефон", "móvil",
)  # fmt: skip
_SSN_WORDS: Final = ("ssn", "social security", "social-security")
_PLACES: Final = ("office", "fax", "mobile")
_ALL_CONTEXT_WORDS: Final = sorted({*_PHONE_WORDS, *_PHONE_NAMES, *_PLACES, *_SSN_WORDS})
_CONTEXT_WORDS: Final = tuple(
    word
    for word in _ALL_CONTEXT_WORDS
    if not any(other in word for other in _ALL_CONTEXT_WORDS if other != word)
)
"""One of these is near each number that is recognised by what stands around it, or an extension follows."""
ASCII_CONTEXT_WORDS: Final = tuple(filter(str.isascii, _CONTEXT_WORDS))
_PLACE_CHARS: Final = 12
_MIN_SHAPED_DIGITS: Final = 9
_MIN_LOCAL_CHARS: Final = 6
_PAIRS: Final = re.compile(r"\d\d(?:[ .-]\d\d){2}")
_SPACED_OUT: Final = re.compile(r"\d(?:[ ,-]\d)+")
_CARD_WORDS: Final = ("card", "visa", "karte", "tarjeta", "carte", "cartão", "карт", "卡", "カード", "카드")
_ASCII_CARD_WORDS: Final = tuple(filter(str.isascii, _CARD_WORDS))
_CONTEXT_CHARS: Final = 48
_WORD_CHARS: Final = 6
_WORD_END: Final = re.compile(r"[A-Za-z0-9]+$")
_WORD_START: Final = re.compile(r"[A-Za-z0-9]+")
_PHONE_DIGITS: Final = range(6, 16)
_MAX_PHONE_DIGITS: Final = 15
_DROP_SEPARATORS: Final = dict.fromkeys(map(ord, " ().-/+"))
_CARD_OF_FOURS: Final = (
    re.compile(r"\d{4}([ .-]{1,2})\d{4}(?:\1\d{4}){1,2}(?:\1\d{1,4})?(?!\d)"),
    re.compile(r"\d{4}([ .-]{1,2})\d{4}\1\d{4}\1\d{4}(?!\d)"),
    re.compile(r"\d{4}([ .-]{1,2})\d{4}\1\d{4}(?!\d)"),
    re.compile(r"\d{4}([ .-]{1,2})\d{6}\1\d{4,5}(?!\d)"),
)
"""Groups of a card number: 4 4 4 4, perhaps with a short fifth group, and 4 6 5."""
_CARD_OF_ANY: Final = re.compile(r"\d(?:[ -]?\d){11,18}(?!\d)(?![ -]\d)")
_LONG_NUMBER: Final = re.compile(r"\d{12}")
_CARD_DIGITS: Final = range(12, 20)
_MIN_CARD_DIGITS: Final = 12


def find_numbers(scan: Scan) -> Iterator[TextRange]:
    """Yield cards, social security numbers and phone numbers."""
    text, classes = scan.text, scan.classes
    words: list[str] | None = None
    for cluster in _CLUSTER.finditer(classes):
        start, end = cluster.span()
        digits = classes.count(b"0", start, end)
        if _is_harmless(text, start, end, digits):
            continue
        if words is None:
            words = [word for word in _words_for(scan.lowered) if word in scan.lowered]
        free = start
        if digits >= _MIN_SHAPED_DIGITS or "+" in text[max(0, start - 2) : end]:
            for found in sorted(_find_shapes(text, scan.lowered, start, end, digits)):
                yield found
                if found.start - free >= _MIN_LOCAL_CHARS:
                    yield from _find_local(scan, free, found.start, words)
                free = max(free, found.end)
        if end - free >= _MIN_LOCAL_CHARS:
            yield from _find_local(scan, free, end, words)


def _words_for(lowered: str) -> tuple[str, ...]:
    return ASCII_CONTEXT_WORDS if lowered.isascii() else _CONTEXT_WORDS


def _is_harmless(text: str, start: int, end: int, digits: int) -> bool:
    """Return whether a cluster is a short number, a fraction or a date, which no rule would take."""
    if digits == _SSN_DIGITS or digits > _MAX_HARMLESS_DIGITS or not _HARMLESS.fullmatch(text, start, end):
        return False
    before = text[max(0, start - 2) : start]
    return before[-1:] not in {"+", "("} and before != "+ "


def _find_shapes(text: str, lowered: str, start: int, end: int, digits: int) -> Iterator[TextRange]:
    """Yield the numbers that their own shape gives away."""
    begin = max(0, start - 3)
    international = "+" in text[begin:end] or "00" in text[start:end]
    if end - start == digits and not international:
        if digits >= _MIN_CARD_DIGITS:
            yield from _find_cards(text, lowered, start, end)
        return
    groups = bytes([min(len(group), 255) for group in _GROUP.findall(text, start, end)])
    if b"\3\2\4" in groups:
        for match in _SSN.finditer(text, begin, end):
            yield TextRange(*match.span(), "SSN")
    if b"\3\3\4" in groups:
        for match in _US.finditer(text, begin, end):
            extension = _EXTENSION.match(text, match.end())
            yield TextRange(match.start(), extension.end() if extension else match.end(), "PHONE")
    if digits >= _MIN_CARD_DIGITS:
        yield from _find_cards(text, lowered, start, end)
    if international:
        for match in _INTERNATIONAL.finditer(text, begin, end):
            yield TextRange(match.start(), _end_of_phone(text, match), "PHONE")


def _find_cards(text: str, lowered: str, start: int, end: int) -> Iterator[TextRange]:
    done = start
    named = _names_card(lowered[max(0, start - 24) : end])
    for group in _GROUP.finditer(text, start, end):
        if group.start() < done or not (named or text[group.start()] in "1234568"):
            continue
        if text[group.start()] == "1" and not named and not text.startswith("1800", group.start()):
            continue
        for begin, stop in _card_ranges(text, group, start, end):
            if not _is_inside_word(text, begin, stop) and _is_card_here(text[begin:stop], lowered, begin):
                done = stop
                yield TextRange(begin, stop, "CREDIT_CARD")
                break


def _card_ranges(text: str, group: re.Match[str], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges from a group of digits on that have the shape of a card number."""
    size = len(group.group())
    if size in _CARD_DIGITS:
        yield group.span()
    elif size == 4:  # noqa: PLR2004 - digits of the first group
        for shape in _CARD_OF_FOURS:
            match = shape.match(text, group.start(), end)
            if match is not None:
                yield match.span()
    if group.start() == start and size not in _CARD_DIGITS:
        match = _CARD_OF_ANY.match(text, start, end)
        if match is not None:
            yield match.span()


def _is_card_here(shown: str, lowered: str, start: int) -> bool:
    digits = shown.translate(_DROP_SEPARATORS)
    named = _names_card(lowered[max(0, start - 24) : start])
    if len(digits) == 13 and not named and _is_ean(digits):  # noqa: PLR2004 - the length of an EAN
        return False
    return named or is_card(digits)


def _names_card(around: str) -> bool:
    words = _ASCII_CARD_WORDS if around.isascii() else _CARD_WORDS
    return any(word in around for word in words)


def _is_inside_word(text: str, start: int, end: int) -> bool:
    """Return whether letters and digits go on so far that the digits are part of a hash or an id."""
    word = text[max(0, start - _WORD_CHARS) : start], text[end : end + _WORD_CHARS]
    around = _WORD_END.search(word[0]), _WORD_START.match(word[1])
    return sum(len(match.group()) for match in around if match) > _WORD_CHARS


def _is_ean(digits: str) -> bool:
    """Return whether a number of 13 digits has the check digit of an article's number (EAN-13, ISBN)."""
    return (sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10 == 0


def _end_of_phone(text: str, match: re.Match[str]) -> int:
    """Return where an international number ends: before a sign that joins no number, or another number."""
    start, end = match.span()
    stop = _SPLIT.search(text, start + 1, end)
    end = stop.start() if stop else end
    digits = 0
    last = start
    for group in _GROUP.finditer(text, start, end):
        digits += len(group.group())
        following = group.start() > start + 2 and digits > 8 and _starts_number(text, group.start())  # noqa: PLR2004
        if last > start and (digits > _MAX_PHONE_DIGITS or following):
            return last
        last = group.end() + (text[group.end() : group.end() + 1] == ")")
    return end


def _starts_number(text: str, at: int) -> bool:
    """Return whether a number of a shape of its own starts here."""
    return bool(_US.match(text, at) or _SSN.match(text, at) or _LONG_NUMBER.match(text, at))


def _find_local(scan: Scan, start: int, end: int, words: list[str]) -> Iterator[TextRange]:
    """Yield phone numbers without a country code, by the words around them, between the other numbers.

    Args:
        scan: The text.
        start: Where the numbers begin.
        end: Where they end.
        words: The context words that stand anywhere in the text.
    """
    text, lowered = scan.text, scan.lowered
    around = lowered[max(0, start - _CONTEXT_CHARS) : end + _PLACE_CHARS]
    for word in words:
        if word in around:
            break
    else:
        if not _EXTENSION.match(text, end):
            return
    for part in _parts(text, start, end):
        begin, stop = part
        if begin and text[begin - 1] == "(":
            begin -= 1
        shown = text[begin:stop].strip()
        digits = shown.translate(_DROP_SEPARATORS)
        if len(digits) not in _PHONE_DIGITS or _continues(text, begin, stop):
            continue
        if _NOT_A_PHONE.fullmatch(shown) and not _is_dotted_phone(shown, digits):
            continue
        before = lowered[max(0, begin - _CONTEXT_CHARS) : begin]
        if len(digits) == _SSN_DIGITS and any(word in before for word in _SSN_WORDS):
            yield TextRange(begin, stop, "SSN")
            continue
        if _is_local_phone(shown, digits, before, lowered[stop : stop + _PLACE_CHARS]):
            extension = _EXTENSION.match(text, stop)
            yield TextRange(begin, extension.end() if extension else stop, "PHONE")


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the ranges between signs that join no number, from digit to digit."""
    while start < end:
        split = _SPLIT.search(text, start, end)
        stop = (split.start() + (split.group()[0].isdigit())) if split else end
        first, last = start, stop
        while first < last and not text[first].isdigit():
            first += 1
        while last > first and not text[last - 1].isdigit():
            last -= 1
        if last > first:
            yield first, last
        start = split.end() if split else end


def _continues(text: str, start: int, end: int) -> bool:
    """Return whether digits are part of a longer word or of a decimal fraction."""
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if (before.isascii() and before.isalnum()) or before in {"_", "$"}:
        return True
    if (before == "." and text[start - 2 : start - 1].isdigit()) or (
        before in {"-", "/"} and text[start - 2 : start - 1].isalnum()
    ):
        return True
    return (
        (after.isascii() and after.isalnum() and not _EXTENSION.match(text, end))
        or after == "_"
        or (after in {".", ","} and text[end + 1 : end + 2].isdigit())
    )


def _is_dotted_phone(shown: str, digits: str) -> bool:
    return shown.count(".") >= 4 and len(digits) == 10  # noqa: PLR2004 - 01.84.17.61.18


def _is_local_phone(shown: str, digits: str, before: str, after: str) -> bool:
    if any(word in before for word in _NUMBER_WORDS) and not any(
        word in before for word in ("phone", "call", "mobile")
    ):
        return False
    if len(digits) < 7 and not _PAIRS.fullmatch(shown):  # noqa: PLR2004 - three pairs are the shortest
        return False
    if any(char in shown for char in "-.( ") and not _SPACED_OUT.fullmatch(shown):
        return any(word in before for word in _PHONE_WORDS) or any(word in after for word in _PLACES)
    named = (
        any(word in before for word in _PHONE_NAMES)
        or _EXTENSION.match(after) is not None
        or any(word in after for word in _PLACES)
    )
    return named and len(digits) >= 9  # noqa: PLR2004 - one run of digits


def is_card(digits: str) -> bool:
    """Return whether digits are a card number by issuer's prefix, length and Luhn check (ISO/IEC 7812)."""
    if digits[0] not in "23456" and not digits.startswith(("1800", "62", "81")):
        return False
    if (digits[0] == "3" and len(digits) > 16) or len(set(digits)) == 1:  # noqa: PLR2004 - not an issuer's number
        return False
    odd = sum(map(int, digits[-1::-2]))
    even = sum((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(digit)] for digit in digits[-2::-2])
    return (odd + even) % 10 == 0
