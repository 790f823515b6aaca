"""Random values with valid check digits. No value is written down anywhere."""

from __future__ import annotations

import random
import string

from llm_observe._redaction.ibans import IBAN_LENGTHS

ALNUM = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
HEX = "0123456789abcdef"
URL_SAFE = ALNUM + "_-"
BASE64 = ALNUM + "+/"
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


class Chance(random.Random):
    """Draws the values; the same seed draws the same ones."""

    def text(self, signs: str, count: int) -> str:
        """Draw characters, of which some are digits and some letters, as in any key."""
        while True:
            drawn = "".join(self.choices(signs, k=count))
            if (
                count < 8
                or signs.isalpha()
                or (
                    drawn[0].isalnum() and drawn[-1].isalnum() and not drawn.isalpha() and not drawn.isdigit()
                )
            ):
                return drawn

    def digits(self, count: int) -> str:
        """Draw digits, the first of which is not zero."""
        return self.choice("123456789") + "".join(self.choices(string.digits, k=count - 1))

    def groups(self, digits: str, *sizes: int, sign: str = " ") -> str:
        """Split digits into groups."""
        parts, at = [], 0
        for size in sizes:
            parts.append(digits[at : at + size])
            at += size
        return sign.join(parts)

    def card(self, prefix: str, count: int) -> str:
        """Draw a card number with a valid check digit (Luhn)."""
        body = prefix + "".join(self.choices(string.digits, k=count - len(prefix) - 1))
        total = sum(
            _DOUBLED[int(digit)] if index % 2 == 0 else int(digit)
            for index, digit in enumerate(reversed(body))
        )
        return body + str(-total % 10)

    def ssn(self, sign: str = "-") -> str:
        """Draw a social security number."""
        return (
            f"{self.randrange(100, 665):03}{sign}{self.randrange(1, 99):02}{sign}{self.randrange(1, 9999):04}"
        )

    def us_phone(self, template: str) -> str:
        """Draw a phone number of the United States."""
        return template.format(self.randrange(201, 989), self.randrange(201, 989), self.randrange(1000, 9999))

    def iban(self, country: str, *, spaced: bool) -> str:
        """Draw an IBAN with valid check digits."""
        body = "".join(self.choices(string.digits, k=IBAN_LENGTHS[country] - 4))
        if country in {"GB", "NL", "IE"}:
            body = "".join(self.choices(string.ascii_uppercase, k=4)) + body[4:]
        check = 98 - int("".join(str(int(char, 36)) for char in body + country + "00")) % 97
        iban = f"{country}{check:02}{body}"
        return " ".join(iban[at : at + 4] for at in range(0, len(iban), 4)) if spaced else iban

    def ipv4(self) -> str:
        """Draw an address of four numbers."""
        return (
            f"{self.randrange(60, 220)}.{self.randrange(256)}.{self.randrange(256)}.{self.randrange(1, 255)}"
        )

    def ipv6(self) -> str:
        """Draw an address of eight groups, or of fewer with a gap."""
        groups = [f"{self.randrange(0x1000, 0xFFFF):x}" for _ in range(8)]
        return ":".join(groups) if self.random() < 0.5 else "2001:db8::" + ":".join(groups[:3])

    def mac(self, sign: str) -> str:
        """Draw an address of a network card."""
        return sign.join(f"{self.randrange(256):02x}" for _ in range(6))

    def password(self) -> str:
        """Draw a password with a digit and a sign."""
        return (
            self.choice(("Harbour", "kestrel", "Oak", "tulip")) + self.choice("!#%*?_+") + self.text(ALNUM, 8)
        )

    def word(self) -> str:
        """Draw a password that is a plain word, or looks like one."""
        syllables = ("ka", "lo", "mir", "ne", "ta", "sol", "vi", "ron", "bel", "du")
        return "".join(self.choices(syllables, k=4)) + self.choice(("k", "m", "x"))
