"""A layer of prices read from TOML: the user's file, and overrides.toml. See docs/examples/prices.toml."""

from __future__ import annotations

import hashlib
import re
import tomllib
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final, NamedTuple

from analytics.pricing.library import STANDARD_TIERS
from analytics.pricing.names import model_names, provider_names
from analytics.pricing.rates import EARLIEST, LATEST, RateRow, Rates
from storage.copy_format import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_RATES: Final = Rates._fields
_TEXTS: Final = ("provider", "model", "service_tier")
_TIMES: Final = ("from", "until")
_ANY: Final = "*"
_PICO_PER_MTOK: Final = 1_000_000
MAX_RATE: Final = 1_000_000
"""US dollars per million tokens."""
_ENTRY: Final = re.compile(r"^[ \t]*\[\[[ \t]*price[ \t]*\]\]", re.MULTILINE)
_MICROSECOND: Final = timedelta(microseconds=1)


class PriceListError(ValueError):
    """A price list cannot be used; the message says where and why."""


class _Entry(NamedTuple):
    provider: str
    model: str
    service_tier: str
    row: RateRow


class PriceList:
    """Prices read from TOML."""

    def __init__(self, entries: Iterable[_Entry], version: str) -> None:
        self.version = version
        self._entries: dict[tuple[str, str], list[_Entry]] = {}
        # The latest first: the first that fits prices a call.
        for entry in sorted(entries, key=lambda entry: entry.row.from_us, reverse=True):
            self._entries.setdefault((entry.provider, entry.model), []).append(entry)

    @classmethod
    def parse(cls, text: str, *, source: str) -> PriceList:
        """Read a price list.

        Args:
            text: The TOML.
            source: The first part of its version; the second is its hash.

        Raises:
            PriceListError: Something in it is wrong.
        """
        version = f"{source}/{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        return cls(_read_entries(text, version), version)

    def rows(self, provider: str, model: str, service_tier: str) -> Sequence[RateRow]:
        """Return the rates of a model, in order of precedence; none where it has no entry."""
        found: list[RateRow] = []
        for model_name in (*model_names(model), _ANY):
            for provider_name in provider_names(provider):
                found += _rows_of(self._entries.get((provider_name, model_name), ()), service_tier)
        return found


def _rows_of(entries: Sequence[_Entry], service_tier: str) -> list[RateRow]:
    """Return the entries' rates for a service tier; an entry for the standard tier makes others unknown."""
    own = [entry.row for entry in entries if entry.service_tier == service_tier]
    if service_tier:
        own += [entry.row._replace(rates=Rates()) for entry in entries if not entry.service_tier]
    return own


def _read_entries(text: str, version: str) -> list[_Entry]:
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise PriceListError(f"not TOML: {error}") from None
    entries = document.pop("price", [])
    if document or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise PriceListError("a price list has nothing but tables [[price]]")
    lines = [text.count("\n", 0, match.start()) + 1 for match in _ENTRY.finditer(text)]
    found: dict[tuple[object, ...], int] = {}
    read = []
    for number, fields in enumerate(entries, 1):
        # Written in another way, such as price = [{...}], an entry has a number alone.
        where = f"entry {number}" + (f" (line {lines[number - 1]})" if len(lines) == len(entries) else "")
        try:
            entry = _read_entry(fields, version)
        except PriceListError as error:
            raise PriceListError(f"{where}: {error}") from None
        first = found.setdefault((*entry[:3], entry.row.from_us), number)
        if first != number:
            raise PriceListError(f"{where}: the same provider, model, service_tier and from as entry {first}")
        read.append(entry)
    return read


def _read_entry(fields: Mapping[str, object], version: str) -> _Entry:
    unknown = sorted(fields.keys() - {*_TEXTS, *_TIMES, *_RATES})
    if unknown:
        known = ", ".join((*_TEXTS, *_TIMES, *_RATES))
        raise PriceListError(f"no field {unknown[0]!r}; the fields are {known}")
    provider, model, service_tier = (_read_text(fields, name) for name in _TEXTS)
    from_us, until_us = _read_time(fields, "from", EARLIEST), _read_time(fields, "until", LATEST)
    if from_us >= until_us:
        raise PriceListError("from is not before until")
    rates = {name: _read_rate(fields[name], name) for name in _RATES if name in fields}
    if rates and "input" not in rates:
        raise PriceListError("rates without input; for an unknown price leave out all rates")
    row = RateRow(from_us, until_us, -1, Rates(**rates), version)
    return _Entry(provider, model, "" if service_tier in STANDARD_TIERS else service_tier, row)


def _read_text(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise PriceListError(f'{name} is not text: write {name} = "..."')
    if not value.strip() and name != "service_tier":
        raise PriceListError(f"no {name}")
    return value.strip().lower()


def _read_time(fields: Mapping[str, object], name: str, default: int) -> int:
    if name not in fields:
        return default
    value = fields[name]
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if not isinstance(value, datetime):
        raise PriceListError(f"{name} is not a date: write {name} = 2026-01-31, without quotes")
    return ((value if value.tzinfo else value.replace(tzinfo=UTC)) - EPOCH) // _MICROSECOND


def _read_rate(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise PriceListError(f"{name} is not a number")
    try:
        rate = Decimal(value)
    except InvalidOperation:
        raise PriceListError(f"{name} is not a number") from None
    if not rate.is_finite() or not 0 <= rate <= MAX_RATE:
        raise PriceListError(f"{name} is not from 0 to {MAX_RATE:,} US dollars per million tokens")
    pico = rate * _PICO_PER_MTOK
    if pico != int(pico):
        raise PriceListError(f"{name} has more than 6 decimal places")
    return int(pico)
