"""The arithmetic of a call's cost, against the same in decimal fractions, over all usages and rates."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

from hypothesis import given
from hypothesis import strategies as st

from analytics.pricing.rates import (
    EARLIEST,
    LATEST,
    UNKNOWN,
    Hours,
    RateCard,
    RateRow,
    Rates,
    Usage,
    price_of,
)
from tests.support.properties import examples

COUNTS = st.none() | st.integers(-2, 20) | st.integers(0, 2**63 - 1)
RATES = st.builds(Rates, *(st.sampled_from([UNKNOWN, 0, 1, 499, 500, 2_500_000, 10**12]) for _ in range(7)))
USAGES = st.builds(Usage, *(COUNTS for _ in range(7)))


@st.composite
def known_usages(draw):
    """Return usages whose parts are within the whole, without audio among cached tokens."""
    read, write, plain, heard, spoken, rest = (draw(st.integers(0, 10**6)) for _ in range(6))
    if heard:
        read = write = 0
    hour = draw(st.integers(0, write))
    return Usage(plain + read + write + heard, spoken + rest, read, write, hour, heard, spoken)


def card_of(*rates: Rates, border: int = 1_000) -> RateCard:
    """Return a card of one rate, or of one above the border and one below."""
    borders = [-1] if len(rates) == 1 else [border, -1]
    rows = [
        RateRow(EARLIEST, LATEST, above, each, "list/1") for above, each in zip(borders, rates, strict=True)
    ]
    return RateCard.of(rows, "list/1")


def cost_of(card: RateCard, usage: Usage, **rest) -> int | None:
    return price_of(card, 0, usage, **rest)[0]


def parts_of(usage):
    """Return the same tokens, each counted once."""
    total, output, read, write, hour, heard, spoken = usage
    return Usage(total - read - write - heard, output - spoken, read, write - hour, hour, heard, spoken)


@examples(300)
@given(known_usages(), RATES)
def test_a_cost_is_that_of_its_parts_rounded_once(usage, rates):
    parts = parts_of(usage)
    cost = cost_of(card_of(rates), usage)
    used_unknown = any(count and rate == UNKNOWN for count, rate in zip(parts, rates, strict=True))
    # Without a rate for output, output must be known to be none; its part that was audio does not help.
    if rates.input == UNKNOWN or used_unknown or (usage.output and rates.output == UNKNOWN):
        assert cost is None
    else:
        pico = sum(count * rate for count, rate in zip(parts, rates, strict=True))
        assert cost == int((Decimal(pico) / 1_000).to_integral_value(ROUND_HALF_EVEN))


@examples(500)
@given(USAGES, RATES, RATES, st.booleans())
def test_a_cost_is_unknown_or_fits_its_column(usage, low, high, has_output):
    cost = cost_of(card_of(high, low), usage, has_output=has_output)
    assert cost is None or 0 <= cost <= LATEST
    if usage.input is None or (usage.output is None and has_output):
        assert cost is None
    if any(count is not None and count < 0 for count in usage):
        assert cost is None


@given(USAGES)
def test_without_rates_no_cost_is_known(usage):
    assert cost_of(card_of(Rates()), usage) is None
    assert cost_of(RateCard.of([], "list/1"), usage) is None


@given(known_usages(), RATES, st.integers(0, 10**6), st.sampled_from(["input", "output"]))
def test_more_tokens_never_cost_less(usage, low, more, kind):
    high = Rates(*(rate * 2 if rate > 0 else rate for rate in low))
    card = card_of(high, low)
    before = cost_of(card, usage)
    after = cost_of(card, usage._replace(**{kind: getattr(usage, kind) + more}))
    if before is not None and after is not None:
        assert before <= after


@given(known_usages(), RATES)
def test_absent_parts_are_none(usage, rates):
    whole = Usage(usage.input, usage.output)
    zeros = Usage(usage.input, usage.output, 0, 0, 0, 0, 0)
    assert cost_of(card_of(rates), whole) == cost_of(card_of(rates), zeros)


@given(RATES, st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_counts_up_to_the_largest_need_64_bits(rates, total, output):
    card = card_of(rates)
    total, output = min(total, card.largest_count), min(output, card.largest_count)
    assert total * max(rates.input, 0) + output * max(rates.output, 0) <= LATEST
    highest = max(*rates, 0)
    assert (total + output) * highest <= LATEST


@given(st.integers(EARLIEST, LATEST), st.integers(0, 86_399), st.integers(1, 86_400))
def test_hours_cover_the_same_time_each_day(start_us, from_s, length_s):
    hours = Hours(from_s, from_s + length_s)
    week = 7 * 86_400 * 1_000_000
    assert hours.cover(start_us) == hours.cover(start_us + week) == hours.cover(start_us + week // 7)
    workdays = hours._replace(workdays_only=True)
    days = [workdays.cover(start_us + day * week // 7) for day in range(7)]
    assert sum(days) == (5 if hours.cover(start_us) else 0)


def test_a_border_is_decided_by_the_whole_input():
    card = card_of(Rates(2_000, 2_000, 1_000), Rates(1_000, 1_000, 500))
    assert [cost_of(card, Usage(count, 0)) for count in (999, 1_000, 1_001)] == [999, 1_000, 2_002]
    assert cost_of(card, Usage(1_001, 1, 1_001)) == 1_003


def test_a_range_of_time_ends_before_its_end():
    card = RateCard.of([RateRow(10, 20, -1, Rates(1_000, 0), "list/1")], "list/2")
    usage = Usage(1, 0)
    assert [price_of(card, at, usage) for at in (9, 10, 19, 20)] == [
        (None, "list/2"),
        (1, "list/1"),
        (1, "list/1"),
        (None, "list/2"),
    ]


def test_plain_rows_are_those_before_the_first_with_more_to_say():
    plain = RateRow(0, LATEST, -1, Rates(1), "list/1")
    assert plain.integers == (0, LATEST, -1, 1, *[UNKNOWN] * 6)
    assert RateCard.of([plain, plain], "").plain_count == 2
    assert RateCard.of([plain, plain._replace(hours=Hours(0, 1)), plain], "").plain_count == 1
    assert RateCard.of([plain._replace(needs_audio_counts=True)], "").plain_count == 0
