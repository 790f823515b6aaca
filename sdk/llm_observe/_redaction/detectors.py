"""The detectors, by priority: where what two found overlaps, the first one names the placeholder.

Each has a bit, by which a program that screened a text can say which of them could find something in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from llm_observe._redaction.addresses import find_emails, find_machine_addresses, find_wallets
from llm_observe._redaction.assignments import find_assigned
from llm_observe._redaction.commands import find_cookies, find_in_commands
from llm_observe._redaction.connections import find_url_passwords
from llm_observe._redaction.credentials import find_headers, find_jwts, find_prefixed, find_webhooks
from llm_observe._redaction.ibans import find_ibans
from llm_observe._redaction.national_ids import find_national_ids
from llm_observe._redaction.numbers import find_numbers
from llm_observe._redaction.private_keys import find_private_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from llm_observe._redaction.normalise import Scan, TextRange


class Detector(NamedTuple):
    """What finds secrets or personal data in a text."""

    name: str
    find: Callable[[Scan], Iterator[TextRange]]
    literal: str = ""
    """A text, in lower case, without which there is nothing to find."""
    needs_digit: bool = False
    is_credential: bool = False
    """Whether what it finds is a credential by itself: no personal data, and no value beside a name."""
    bit: int = 0


def _numbered(*detectors: Detector) -> tuple[Detector, ...]:
    return tuple(detector._replace(bit=1 << place) for place, detector in enumerate(detectors))


DETECTORS: Final = _numbered(
    Detector("private_keys", find_private_keys, is_credential=True),
    Detector("url_passwords", find_url_passwords, "@", is_credential=True),
    Detector("webhooks", find_webhooks, is_credential=True),
    Detector("prefixed", find_prefixed, is_credential=True),
    Detector("jwts", find_jwts, "eyj", is_credential=True),
    Detector("headers", find_headers, is_credential=True),
    Detector("assigned", find_assigned),
    Detector("commands", find_in_commands),
    Detector("cookies", find_cookies, "cookie"),
    Detector("emails", find_emails, "@"),
    Detector("national_ids", find_national_ids, needs_digit=True),
    Detector("wallets", find_wallets, needs_digit=True),
    Detector("ibans", find_ibans, needs_digit=True),
    Detector("machine_addresses", find_machine_addresses, needs_digit=True),
    Detector("numbers", find_numbers, needs_digit=True),
)
BITS: Final = {detector.name: detector.bit for detector in DETECTORS}
ALL_BITS: Final = (1 << len(DETECTORS)) - 1
DIGIT_BITS: Final = sum(detector.bit for detector in DETECTORS if detector.needs_digit)
"""The detectors that find nothing in a text without a digit."""
