"""What demo calls ask and answer. Nobody in it exists; keys are put together when they are needed."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import random

_PERSONAL_SHARE: Final = 0.1


class Prompt(NamedTuple):
    """A question with blanks, and answers."""

    question: str
    answers: tuple[str, ...]


ASSISTANT: Final = (
    Prompt(
        "Plan a {days}-day trip to {city} for two adults and a child.",
        (
            "Day 1: arrive, walk the old town, early dinner. Day 2: the science museum, then the harbour.",
            "A relaxed plan: one sight each morning, free afternoons. Shall I add restaurants?",
        ),
    ),
    Prompt(
        "Write a short toast for a colleague who leaves the {team} team.",
        ("To the one who kept our build green and our coffee strong: we will miss you.",),
    ),
    Prompt(
        "Explain {topic} as if I were twelve.",
        (
            "Imagine a library in which every book has a number: you need not search all shelves.",
            "Think of a queue at a bakery: first come, first served, and nobody may jump ahead.",
        ),
    ),
    Prompt(
        "What can I cook with chickpeas, spinach and {ingredient}?",
        ("A quick stew: fry onion and garlic, add chickpeas and spinach, simmer ten minutes, season well.",),
    ),
    Prompt(
        "And a version of that with half the words?",
        ("Of course. Shorter: keep the first two, drop the rest.",),
    ),
    Prompt("Now make it more formal.", ("Certainly. Here is a version in a more formal register.",)),
)
SUPPORT: Final = (
    Prompt(
        "My parcel for order A-{number} has not arrived. Where is it?",
        ("It left our warehouse yesterday and should reach you within two days.",),
    ),
    Prompt(
        "I want to return the lamp from order A-{number}; it flickers.",
        ("I am sorry about that. I have opened a return; the label is free.",),
    ),
    Prompt(
        "Can you change the delivery of order A-{number} to {city}?",
        ("Yes: it has not been shipped yet. I have changed the address and you will get a confirmation.",),
    ),
)
SUMMARIES: Final = (
    Prompt(
        "Summarise in two sentences: the customer writes for the {nth} time about {topic}.",
        ("The customer asks again for a fix and offers logs. They expect an answer by Friday.",),
    ),
    Prompt(
        "Give me the three main points of the {team} meeting.",
        ("1. The launch moves by a week. 2. Support needs two more people. 3. Budget is agreed.",),
    ),
    Prompt(
        "List the action items of this thread about {topic}, one line each.",
        ("- Ana: write the migration. - Ben: measure the write path. - Chloe: ask legal about retention.",),
    ),
)
TRANSLATION: Final = (
    Prompt(
        "Translate into German: 'The {team} team ships on Thursday.'",
        ("Das Team liefert am Donnerstag aus.",),
    ),
    Prompt(
        "Traduis en français : 'Your order will arrive in {days} days.'", ("Votre commande arrive bientôt.",)
    ),
    Prompt(
        "次の文を英語に訳してください。「会議は{days}時からです。」",
        ("The meeting starts in the afternoon.",),
    ),
    Prompt("Traduce al español: 'We cannot find your booking in {city}.'", ("No encontramos su reserva.",)),
)
CODE: Final = (
    Prompt(
        "Review this change to the {team} service:\n```python\nfor row in rows:\n    session.add(row)\n```",
        (
            "One object for each row: insert them in one statement. Otherwise it reads well.",
            "Two remarks: the loop commits nothing if it fails half way, and `rows` may be a generator.",
        ),
    ),
    Prompt(
        "Write a SQL query for the ten customers in {city} with the highest revenue last month.",
        ("```sql\nSELECT customer, sum(total) FROM orders GROUP BY 1 ORDER BY 2 DESC LIMIT 10\n```",),
    ),
    Prompt(
        "Why might this test be flaky? It waits {days} seconds for {topic}.",
        ("It depends on the clock. Wait for the event itself, with a generous limit, and fake the time.",),
    ),
)
DOCUMENTS: Final = (
    Prompt("Refund policy, section {days}: goods may be sent back within 30 days of delivery.", ("",)),
    Prompt("Release notes of the {team} service: faster {topic}, fewer warnings, new settings.", ("",)),
    Prompt("How do I reset the device? Hold the button for {days} seconds until the light blinks.", ("",)),
)
LABELS: Final = (
    Prompt(
        'Label this ticket as billing, delivery, product or other. Answer as JSON. "It is about {topic}."',
        ('{"label": "product", "confidence": 0.93}', '{"label": "other", "confidence": 0.61}'),
    ),
    Prompt(
        'Is this review positive or negative? "Bought it in {city}, works since {days} weeks."',
        ('{"sentiment": "positive"}',),
    ),
)
_BLANKS: Final = {
    "city": ("Lisbon", "Graz", "Oslo", "Kyoto", "Porto", "Leipzig", "Nantes"),
    "team": ("billing", "search", "mobile", "platform", "checkout"),
    "topic": ("database indexes", "message queues", "the new invoice layout", "late webhooks", "dark mode"),
    "ingredient": ("feta", "coconut milk", "lemons", "rice"),
    "nth": ("second", "third", "fourth"),
    "days": ("2", "3", "4", "5", "7"),
}
_NAMES: Final = ("mara.lind", "joao.silva", "t.okafor", "li.wei", "anna.berg")


def make_texts(chance: random.Random, prompt: Prompt) -> tuple[str, str]:
    """Return a question and its answer. A tenth of the questions tell what redaction takes out."""
    blanks = {name: chance.choice(values) for name, values in _BLANKS.items()}
    question = prompt.question.format(**blanks, number=chance.randrange(20_000, 30_000))
    if chance.random() < _PERSONAL_SHARE:
        question = f"{question} {_personal(chance)}"
    return question, chance.choice(prompt.answers)


def _personal(chance: random.Random) -> str:
    name, digits = chance.choice(_NAMES), f"{chance.randrange(100, 200):04}"
    secret = "".join(chance.choices(string.ascii_letters + string.digits, k=40))
    return chance.choice(
        (
            f"Please write to {name}@example.com.",
            f"Call me on +1 415 555 {digits} after lunch.",
            f"My colleague is {name}@example.org, phone (212) 555-{digits}.",
            f"Our key is sk-proj-{secret}, by the way.",
            f"I log in with ghp_{secret[:36]} at the moment.",
        )
    )
