"""The layer of the genai-prices package: its data, its matching and its dates; the arithmetic is rates.py's.

Where its data says more than it knows, the rate is unknown here: see docs/decisions/0016-prices.md.
The package can fetch newer data from the network, which nothing here asks it to.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from importlib.metadata import version
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from genai_prices.data_snapshot import DataSnapshot, get_snapshot
from genai_prices.types import ModelPrice, StartDateConstraint, TieredPrices, TimeOfDateConstraint

from analytics.pricing.names import is_somebody_else, model_names, provider_names
from analytics.pricing.rates import DAY_S, EARLIEST, LATEST, UNKNOWN, Hours, RateRow, Rates
from storage.copy_format import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from genai_prices.types import ConditionalPrice, ModelInfo, PriceVariant, Provider

STANDARD_TIERS: Final = frozenset({"", "auto", "default", "on_demand", "standard", "standard_only"})
"""Service tiers that pay the standard price; `auto` is a wish, and what it came to is not in the log."""
_CONTEXT_OF: Final[Mapping[str, Mapping[str, str]]] = {
    "batch": {"processing": "batch"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
    "fast": {"service_tier": "fast", "speed": "fast"},
}
"""Service tiers in the words by which the package selects its price variants."""

_RATES: Final = (
    "input_mtok",
    "output_mtok",
    "cache_read_mtok",
    "cache_write_mtok",
    "cache_write_1h_mtok",
    "input_audio_mtok",
    "output_audio_mtok",
)
"""The package's names of our rates, in order."""
_COUNTED_WITHIN: Final = {
    "input_image_mtok": "input_mtok",
    "input_video_mtok": "input_mtok",
    "cache_image_read_mtok": "cache_read_mtok",
    "output_image_mtok": "output_mtok",
    "output_video_mtok": "output_mtok",
    "output_reasoning_mtok": "output_mtok",
    "output_citation_mtok": "output_mtok",
}
"""Kinds of token that no log counts apart, and the kind they are counted within."""
_BESIDE_TOKENS: Final = frozenset(
    {"web_searches_kcount", "storage_searches_kcount", "cache_audio_read_mtok", "input_audio_hours"}
)
"""What a cost leaves out (fees of tools), or rates.py refuses by itself (cached audio)."""

# Models whose calls are billed for what no log counts, whatever rates the package has for their tokens.
_NOT_BY_TOKENS: Final = re.compile(
    r"image|sonar|search-(?:preview|api)|pro-search|deep-research|-online$", re.MULTILINE
)
# Models that hear or speak: without counts of audio tokens, most of their tokens are of an unknown kind.
_AUDIO_MODELS: Final = re.compile(r"audio|realtime|transcri|-live\b")
# The package's own remark on prices of another vendor, which it could not verify.
_BORROWED: Final = "Imported from OpenRouter pricing"
_VERIFIED: Final = "Verified against"
# DeepSeek's peak hours: from Monday to Friday, and of today's prices only (the package cannot say either).
_PEAK_HOURS: Final = frozenset({"deepseek-flash", "deepseek-v4-flash", "deepseek-v4-pro"})

_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PICO_PER_MTOK: Final = 1_000_000
_Constraint = TypeVar("_Constraint", bound=StartDateConstraint | TimeOfDateConstraint)


class Library:
    """Prices of genai-prices."""

    def __init__(self) -> None:
        self.version = f"genai-prices/{version('genai-prices')}"
        get_snapshot()  # reads the data, which takes a while: not with the first call that is priced

    def rows(self, provider: str, model: str, service_tier: str) -> Sequence[RateRow]:
        """Return the rates of a model, in order of precedence; none where it is not known."""
        found = _find(provider, model)
        return () if found is None else [*self._rows(*found, model.lower(), service_tier)]

    def _rows(self, seller: Provider, model: ModelInfo, asked: str, service_tier: str) -> Iterator[RateRow]:
        names = f"{model.id.lower()} {asked}"
        is_priced = _has_own_prices(model) and not _NOT_BY_TOKENS.search(names)
        for period in _periods(model, with_variants=service_tier not in STANDARD_TIERS):
            is_known = is_priced and period.is_known
            prices = _prices_at(seller, model, service_tier, period.at) if is_known else None
            for above in _borders(prices):
                yield RateRow(
                    period.from_us,
                    LATEST,
                    above,
                    _rates(prices, above),
                    self.version,
                    hours=period.hours,
                    needs_audio_counts=_needs_audio_counts(names, prices),
                )


class _Period(NamedTuple):
    """From when, at which hours, and a time within both. Of some the package cannot know the price."""

    from_us: int
    at: datetime
    hours: Hours | None = None
    is_known: bool = True


def _find(provider: str, model: str) -> tuple[Provider, ModelInfo] | None:
    if is_somebody_else(provider):
        return None
    for name in model_names(model):
        # A snapshot of one look-up: it would keep every name that it was ever asked for, found or not.
        snapshot = DataSnapshot(providers=get_snapshot().providers, from_auto_update=False)
        try:
            return snapshot.find_provider_model(name, None, provider_names(provider)[-1], None)
        except LookupError:
            continue
    return None


def _has_own_prices(model: ModelInfo) -> bool:
    """Tell whether the prices are those of the model's vendor, by the package's own remarks."""
    remarks = model.price_comments or ""
    return _BORROWED not in remarks or _VERIFIED in remarks


def _periods(model: ModelInfo, *, with_variants: bool) -> Iterator[_Period]:
    """Return the periods that may have a price of their own, the latest first."""
    dated = _constraints(model, StartDateConstraint, with_variants=with_variants)
    dates = sorted({each.start_date for each in dated}, reverse=True)
    starts = [datetime.combine(date, time(tzinfo=UTC)) for date in dates]
    periods = [_Period((start - EPOCH) // _MICROSECOND, start) for start in starts]
    periods.append(_Period(EARLIEST, _LONG_AGO))
    windows = _constraints(model, TimeOfDateConstraint, with_variants=with_variants)
    if not windows:
        yield from periods
    elif model.id in _PEAK_HOURS:
        yield from _peak_periods(windows, periods)
    else:
        for period in periods:
            for part in _parts_of_day(windows):
                yield _within(period, part)


def _peak_periods(windows: Sequence[TimeOfDateConstraint], periods: Sequence[_Period]) -> Iterator[_Period]:
    """Return periods: the latest with peak hours, the first without, and others where nobody knows."""
    latest, first = periods[0], periods[-1]
    parts = _parts_of_day(windows)
    peaks = [part for part in parts if any(window.active(_within(latest, part).at) for window in windows)]
    off_peak = next(part for part in parts if part not in peaks)
    for period in periods:
        for part in peaks:
            if period is latest:
                yield _within(period, part._replace(workdays_only=True))
            elif period is not first:
                yield _within(period, part)._replace(is_known=False)
        yield _within(period, off_peak)._replace(hours=None)


def _within(period: _Period, part: Hours) -> _Period:
    return period._replace(at=period.at + timedelta(seconds=part.from_s), hours=part)


def _parts_of_day(windows: Sequence[TimeOfDateConstraint]) -> list[Hours]:
    """Return the parts of a UTC day that may have a price of their own."""
    edges = {0, DAY_S}
    for window in windows:
        edges |= {_second_of_day(window.start_time), _second_of_day(window.end_time)}
    return [Hours(*part) for part in pairwise(sorted(edges))]


def _second_of_day(when: time) -> int:
    moment = datetime.combine(_LONG_AGO, when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
    return moment.hour * 3600 + moment.minute * 60 + moment.second


def _constraints(model: ModelInfo, kind: type[_Constraint], *, with_variants: bool) -> list[_Constraint]:
    priced: list[ConditionalPrice | PriceVariant] = []
    if not isinstance(model.prices, ModelPrice):
        priced += model.prices
    if with_variants:
        priced += model.price_variants or []
    return [each.constraint for each in priced if isinstance(each.constraint, kind)]


def _prices_at(seller: Provider, model: ModelInfo, service_tier: str, at: datetime) -> ModelPrice | None:
    """Return the prices at a time, or None where the package has none for the service tier."""
    if service_tier in STANDARD_TIERS:
        return model.get_prices(at)
    context = _CONTEXT_OF.get(service_tier)
    # The variants of another vendor are not the seller's. The package then answers with the standard price.
    if context is None or not any(model is own for own in seller.models):
        return None
    for variant in model.price_variants or ():
        selected = all(context.get(key) == value for key, value in variant.when.items())
        if selected and (variant.constraint is None or variant.constraint.active(at)):
            return model.get_prices(at, context)
    return None


def _borders(prices: ModelPrice | None) -> list[int]:
    """Return above how many input tokens other rates apply, the highest first."""
    values = prices.__dict__.values() if prices else ()
    tiers = [tier for value in values if isinstance(value, TieredPrices) for tier in value.tiers]
    return sorted({-1, *(tier.start for tier in tiers)}, reverse=True)


def _rates(prices: ModelPrice | None, above: int) -> Rates:
    """Return the rates for calls of more than so many input tokens."""
    values = prices.__dict__ if prices else {}
    given = {key: _pico(value, above) for key, value in values.items() if value is not None}
    rates = {key: given.get(key, UNKNOWN) for key in _RATES}
    for key, rate in given.items():
        whole = _COUNTED_WITHIN.get(key)
        if whole is not None and rate != rates[whole]:
            rates[whole] = UNKNOWN
        elif whole is None and key not in rates and not _is_beside_tokens(key, given):
            return Rates()
    return Rates(*rates.values())


def _is_beside_tokens(key: str, given: Mapping[str, int]) -> bool:
    # Hours of audio are the other way to pay for audio input; alone, they are the time of a connection.
    return key in _BESIDE_TOKENS or (key == "audio_hours" and "input_audio_hours" in given)


def _pico(value: Decimal | TieredPrices, above: int) -> int:
    if isinstance(value, TieredPrices):
        value = next((tier.price for tier in reversed(value.tiers) if tier.start <= above), value.base)
    return int((value * _PICO_PER_MTOK).to_integral_value(ROUND_HALF_EVEN))


def _needs_audio_counts(names: str, prices: ModelPrice | None) -> bool:
    return bool(_AUDIO_MODELS.search(names)) or (prices is not None and prices.output_audio_mtok is not None)
