"""The screen of texts that are joined of parts of numbers, commands and names."""

from __future__ import annotations

import random

import pytest
from llm_observe import screening

from codec._plain_text import suspects_in
from tests.support.screen import BITS, wrongly_left_out

JOINTS = (" ", ", ", "\n", " the ", "; ", " — ", "é", "好", " a b c ", "x" * 30, "  ")
NUMBER_WORDS = (
    *screening.NUMBER_WORDS,
    "móvil ",
    "电话",
    "ext. 5",
    " x12",
    "card ",
    "visa ",
    "CALL ",
    "ssn ",
)
COMMANDS = (
    *screening.TOOL_NAMES, *screening.PRINTING_TOOLS, " -u bob:" + "s3cret", " -p " + "hunter2",
    " -p" + "hunter2", " --user bob:" + "s3cr", " | docker login -u x --password-stdin",
    "| gh auth login --with-token", "| x --stdin", " pass:" + "abc", " /user:bob " + "sec", " /p:" + "abc",
    " login ", "\\\n", "'", "\\n", " -b x y " + "z9x",
    "abcdefghij" + "0123456789", "|", ' "' + "s3cret" + '" | foo --stdin', "\n",
)  # fmt: skip
NAMES = (
    "password", "Passwort", "api_key", "token", "secret", "client secret", "DB_PASS", "--token", "-p",
    "пароль", "密码", "mot de passe", "key", "access-token", "credential", "name: ",
)  # fmt: skip
VALUES = (
    "hunter" + "2", "s3" + "cr3t!", "Oak#NOB" + "Sm1fP", "abcdef", "for five years", "your",
    "(score 0.83): go", '"x9' + 'y8z7"', "is", "is" + "1234", "reset", "été1", "值1", "go to the page", "* *",
    "for the server: " + "x1y2", "of it is " + "aB3" * 6, "value", "const char *x", "and so", "in use",
)  # fmt: skip
TIES = (
    " = ", ": ", "=", ":", " is ", '" ', '", "', " | ", "> ", "</", " (", ") ", " --", ",", "; ", " -> ",
    "} ", "\t", " value: ", '" value="', "`", "* ", '\\"', " (x y): ", "\n", " for ", " of the ",
)  # fmt: skip


def _number(chance: random.Random) -> str:
    count, joint = chance.choice((4, 6, 7, 9, 10, 11, 12, 13, 16, 20)), chance.choice(" -./+,|")
    digits = ""
    for _ in range(count):
        digits += chance.choice("0123456789")
        if chance.random() < 0.25:
            digits += chance.choice((joint, *" ().-/+,;|"))
    before = chance.choice(("", "+", "(", "+ ", "00", "$", "abcd", "_"))
    return before + digits + chance.choice(("", " x123", "abcdefg"))


def _text(parts: tuple[str, ...], chance: random.Random) -> str:
    text = ""
    for _ in range(chance.randrange(2, 11)):
        is_number = parts is NUMBER_WORDS and chance.random() < 0.5
        text += _number(chance) if is_number else chance.choice((*parts, *JOINTS))
    return text[:480]


@pytest.mark.parametrize("parts", [NUMBER_WORDS, COMMANDS, (*NAMES, *VALUES, *TIES)])
@pytest.mark.parametrize("seed", range(2))
def test_what_is_left_out_finds_nothing(parts, seed):
    chance = random.Random(seed)
    for _ in range(2_500):
        text = _text(parts, chance)
        assert wrongly_left_out(text) == [], text


@pytest.mark.parametrize(("text", "detector"), [
    ("phone 4425" + "26+62874", "numbers"),
    ("70" + "7352,12.00" + "2235748", "numbers"),
    ("client secret} is" + "1234", "assigned"),
    ("password = " + "* * ", "assigned"),
    ("const key = 'ab" + '"cd-1reoaDuo' + "Rr0gek'", "assigned"),
    ("dev_secret-" + "01200007800983", "prefixed"),
    ('printf "' + "s3cret" + '" | tool --stdin', "commands"),
])  # fmt: skip
def test_what_stands_close_is_seen(text, detector):
    assert wrongly_left_out(text) == []
    assert suspects_in(text) & BITS[detector]


@pytest.mark.parametrize(("text", "detector"), [
    ("trace=83f2140e2095" + "17218357f99474ded6", "numbers"),
    ("together they cover 412 - 0.75 * 14 km in a hotel", "numbers"),
    ('printf("%zu words", counts.size()); // on the login page --fast', "commands"),
    ('5 hits in the documents: "Reset your password" (score 0.83): go to the page', "assigned"),
    ("the parties keep the other's information secret for five years, as agreed in v2", "assigned"),
])  # fmt: skip
def test_what_only_looks_alike_calls_for_nothing(text, detector):
    assert not suspects_in(text) & BITS[detector]
