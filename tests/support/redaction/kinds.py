"""The kinds of secrets and personal data, each with how to draw one. A new kind is one line."""

from __future__ import annotations

import base64
from collections.abc import Callable
from string import ascii_letters
from typing import Final, NamedTuple

from llm_observe._redaction.prefixes import ALL, EXACT, KeyPrefix

from tests.support.redaction.chance import ALNUM, BASE64, HEX, LOWER, UPPER, URL_SAFE, Chance


class Sample(NamedTuple):
    """A text to put somewhere, and the part of it that must disappear."""

    text: str
    secret: str


Maker = Callable[[Chance], Sample | str]

PERSONAL: Final[dict[str, Maker]] = {
    "card": lambda c: c.card(c.choice(("4", "51", "6011")), 16),
    "card in groups": lambda c: c.groups(c.card("4", 16), 4, 4, 4, 4, sign=c.choice(" -")),
    "card of 15": lambda c: c.groups(c.card("37", 15), 4, 6, 5),
    "ssn": lambda c: c.ssn(),
    "ssn with spaces": lambda c: c.ssn(" "),
    "US phone": lambda c: c.us_phone("{}-{}-{}"),
    "US phone with brackets": lambda c: c.us_phone("({}) {}-{}"),
    "US phone with dots": lambda c: c.us_phone("{}.{}.{}"),
    "US phone with country": lambda c: c.us_phone("+1 {} {} {}"),
    "phone of Germany": lambda c: "+49 30 " + c.digits(8),
    "phone of France": lambda c: "+33 6 " + c.groups(c.digits(8), 2, 2, 2, 2),
    "phone of China": lambda c: "+86 138 " + c.groups(c.digits(8), 4, 4),
    "phone of Brazil": lambda c: "+55 (11) 9" + c.groups(c.digits(8), 4, 4, sign="-"),
    "phone with 00": lambda c: "0044 20 " + c.groups(c.digits(8), 4, 4),
    "ipv4": lambda c: c.ipv4(),
    "ipv4, private": lambda c: f"10.{c.randrange(9)}.{c.randrange(9)}.{c.randrange(1, 9)}",
    "ipv6": lambda c: c.ipv6(),
    "mac": lambda c: c.mac(":"),
    "mac with dashes": lambda c: c.mac("-").upper(),
    "iban": lambda c: c.iban(c.choice(("DE", "FR", "ES")), spaced=False),
    "iban in groups": lambda c: c.iban(c.choice(("GB", "NL", "IE")), spaced=True),
    "email": lambda c: f"{c.choice(('nora', 'li.wei', 'o_petrov'))}{c.digits(3)}@mail.example.org",
    "email with accents": lambda c: f"jörg{c.digits(3)}@büro.example.de",
    "wallet": lambda c: "0x" + c.text(HEX, 40),
}  # fmt: skip


def _key(prefix: KeyPrefix) -> Maker:
    """Draw a key of a vendor: long enough, in the signs that its exact pattern allows."""

    def draw(chance: Chance) -> Sample:
        exact = EXACT.get(prefix.text)
        for signs, count in ((ALNUM, max(prefix.min_chars, 20) + 8), *_EXACT_SHAPES):
            body = chance.text(signs, count)
            if exact is None or exact.fullmatch(body):
                return Sample(prefix.text + body, body)
        if prefix.text == "pat":
            body = f"{chance.text(ALNUM, 14)}.{chance.text(HEX, 64)}"
            return Sample(prefix.text + body, body)
        return Sample(prefix.text + (body := chance.text(HEX, 36)), body)

    return draw


_EXACT_SHAPES: Final = (
    (ascii_letters, 34),
    (UPPER, 16),
    (UPPER, 26),
    (ALNUM, 54),
    (ALNUM, 32),
    (LOWER, 36),
    (ALNUM, 40),
    (HEX, 32),
    (HEX, 36),
)
_UNUSUAL: Final = (
    "eyJrIjoi",
    "pk.eyJ",
    "sk.eyJ",
    "tk.eyJ",
    "ops_eyJ",
    "AAAAAAAAAAAAAAAAAAAAA",
    "_gitlab_session=",
    "sha256~",
    "access_token$",
)
KEYS: Final[dict[str, Maker]] = {prefix.text: _key(prefix) for prefix in ALL if prefix.text not in _UNUSUAL}
"""A key for each prefix of the table."""


def _pem(chance: Chance) -> str:
    label = chance.choice(("RSA ", "", "EC ", "OPENSSH ")) + "PRIVATE" + " KEY"
    lines = "\n".join(chance.text(BASE64, 64) for _ in range(3))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----"


def _jwt(chance: Chance) -> str:
    return f"{'eyJ'}{chance.text(ALNUM, 33)}.{'eyJ'}{chance.text(URL_SAFE, 60)}.{chance.text(URL_SAFE, 43)}"


def _base64(chance: Chance) -> str:
    return base64.b64encode(chance.text(ALNUM, 18).encode()).decode()


_HOOKS: Final = "https://hooks." + "slack.com/services/"
SHAPED: Final[dict[str, Maker]] = {
    "JWT": _jwt,
    "PEM in base64": lambda c: base64.b64encode(_pem(c).encode()).decode(),
    "Terraform": lambda c: f"{c.text(ALNUM, 14)}.atlasv1.{c.text(ALNUM, 67)}",
    "Discord": lambda c: f"M{c.text(ALNUM, 23)}.G{c.text(ALNUM, 5)}.{c.text(URL_SAFE, 38)}",
    "Mailchimp": lambda c: f"{c.text(HEX, 32)}-us{c.randrange(1, 22)}",
    "Asana": lambda c: f"2/{c.digits(16)}/{c.digits(16)}:{c.text(HEX, 32)}",
    "unseen prefix": lambda c: f"qzv_{c.text(ALNUM, 40)}",
    "unseen prefixes": lambda c: f"mvk-live-{c.text(ALNUM, 36)}",
    "unseen prefix, hexadecimal": lambda c: f"zorp_sk_{c.text(HEX, 48)}",
    "URL password": lambda c: Sample(f"postgres://app:{(secret := c.text(ALNUM, 14))}@db.example/x", secret),
    "bearer": lambda c: Sample(f"Bearer {(secret := c.text(ALNUM, 36))}", secret),
    "basic": lambda c: Sample(f"Basic {(secret := _base64(c))}", secret),
    "webhook": lambda c: Sample(f"{_HOOKS}T{c.text(UPPER, 8)}/B{c.digits(9)}/{(s := c.text(ALNUM, 24))}", s),
}  # fmt: skip
NAMED: Final[dict[str, Maker]] = {
    "password": lambda c: Sample(f"password={(secret := c.password())}", secret),
    "password, a word": lambda c: Sample(f"password={(secret := c.word())}", secret),
    "DB_PASS": lambda c: Sample(f"DB_PASS={(secret := c.password())}", secret),
    "pwd": lambda c: Sample(f"pwd={(secret := c.text(ALNUM, 12))}", secret),
    "api_key": lambda c: Sample(f"api_key={(secret := c.text(ALNUM, 32))}", secret),
    "x-api-key": lambda c: Sample(f"x-api-key: {(secret := c.text(HEX, 40))}", secret),
    "clientSecret": lambda c: Sample(f"clientSecret: {(secret := c.text(ALNUM, 24))}", secret),
    "Passwort": lambda c: Sample(f"Passwort: {(secret := c.password())}", secret),
    "contraseña": lambda c: Sample(f"contraseña: {(secret := c.password())}", secret),
    "mot de passe": lambda c: Sample(f"mot de passe : {(secret := c.password())}", secret),
    "пароль": lambda c: Sample(f"пароль: {(secret := c.password())}", secret),
    "密码": lambda c: Sample(f"密码\uff1a{(secret := c.password())}", secret),
    "パスワード": lambda c: Sample(f"パスワード: {(secret := c.password())}", secret),
    "비밀번호": lambda c: Sample(f"비밀번호: {(secret := c.password())}", secret),
    "stated": lambda c: Sample(f"the password is {(secret := c.password())}", secret),
    "option": lambda c: Sample(f"--token {(secret := c.text(ALNUM, 30))}", secret),
    "command": lambda c: Sample(f"curl -u app:{(secret := c.text(ALNUM, 14))} https://a.example", secret),
}  # fmt: skip
KINDS: Final[dict[str, Maker]] = {**PERSONAL, **KEYS, **SHAPED, **NAMED}


def draw(kind: str, chance: Chance) -> Sample:
    """Draw a sample of a kind."""
    made = KINDS[kind](chance)
    return made if isinstance(made, Sample) else Sample(made, made)
