"""Texts in which nothing is to be hidden. A new one is one line; § is an id, ¶ a UUID, made at run time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.support.redaction.chance import ALNUM, HEX, Chance

_TEXTS: Final = """
Version 10.0.19045.3803 of the system
Update from 2.4.1.7 to 2.4.1.9
See section 6.9.3.2 and clause 12.3.4.5
§ 4.2.1.3 of the law
file version: 1.0.0.0
numpy==1.26.4.1 and torch>=2.1.0.1
app-3.2.1.0.tar.gz
OID 1.3.6.1.4.1.311
idempotency-key: ¶
Idempotency-Key: #
cache key: #
cache_key=#
partition key = ¶
sort key: created_at
primary key (id)
foreign key constraint fails
public key: #
KeyError: 'customer_number'
key = "name"
keys = ["a", "b"]
def test_all_100_logs_arrive_however_the_process_ends():
def test_a_log_that_is_not_utf8_is_refused_alone(): ...
def test_messages_that_version_0_2_0_put_aside_are_tried(): ...
def test_large_logs_go_in_batches_of_at_most_4_mb
assert live_view_of_the_2_newest_rows_is_empty
sorted(items, key=len)
The key insight: attention is all you need
Press Ctrl+Shift+K, then F12
Keyboard shortcut key: F12
commit ##
sha256:###
etag: "#"
trace_id=# span_id=1f
request id req_%
chatcmpl-%
toolu_01%
thread_% and run_%
file-%
user_id=¶
session: ¶
48.8566, 2.3522
lat=52.5200066 lon=13.4049540
EAN 4006381333931
ISBN 978-3-16-148410-0
order #10023498127
order number 4500123456 of 2026-04-03
1,234,567.89 EUR and 9.876.543,21
3.14159265358979 and 2.718281828459045
2026-11-26 10:31:22.123456 +0000
1732616123 and 1732616123456
1 000 000 000 people
[1, 22, 333, 4444, 55555, 666666]
2,3,5,7,11,13,17,19,23,29,31
Addresses look like AA:BB:CC:DD:EE:FF
broadcast ff:ff:ff:ff:ff:ff
10:30:00 to 11:45:00
a ratio of 16:9:4:3:2:1
std::map<std::string, int>::iterator it
The password must be at least 12 characters long.
Forgot your password? Click the link below.
password: required
Password: must contain a digit
Passwort: erforderlich
type Password = string;
def login(user: str, password: str) -> Token:
password = os.getenv("DB_PASSWORD")
password=${DB_PASSWORD}
password: ********
password=[SECRET]
"password": {"type": "string", "minLength": 8}
| password | string | The password of the user |
the api key is missing
api_key=<your-api-key>
api_key: YOUR_API_KEY
const token = await getToken(user);
token = tokenizer.next()
tokens: 4096, max_tokens: 1024
next_page_token: %
The token was expired, so we refreshed it
"token": null, "secret": false
token: str | None = None
Authorization: Bearer <token>
curl -H 'Authorization: Bearer $TOKEN'
basic understanding of tokens
bearer of bad news
auth: none
author: John Smith
passenger: Maria Lopez
pass: 12, fail: 0
bypass: enabled
compass: north
secretary: Ms. Jones
signature: def f(x: int) -> str
docker run -p 5432:5432 postgres
mkdir -p build/out
ssh -p 2222 host
git push -u origin main
PWD=/var/lib/app
cookie: accept or decline?
user @nora said hi
npm i @types/node@20.10.5
SELECT key, value FROM kv WHERE key = 'theme'
for key, value in items:
test_password_reset_flow passed
https://example.com/a/b?page=2&id=17
-----BEGIN CERTIFICATE-----
0xdeadbeef and #ff8800
part number 555-0123-99
rgba(12, 34, 56, 0.7)
loss=0.6931471805599453
"""


def negatives(chance: Chance) -> Iterator[str]:
    """Yield the texts, with ids drawn."""
    for text in _TEXTS.strip().split("\n"):
        filled = text.replace("###", chance.text(HEX, 64)).replace("##", chance.text(HEX, 40))
        filled = filled.replace("=#", "=" + chance.text(HEX, 32)).replace(": #", ": " + chance.text(HEX, 32))
        filled = filled.replace("¶", "-".join(chance.text(HEX, count) for count in (8, 4, 4, 4, 12)))
        yield (
            filled.replace("_%", "_" + chance.text(ALNUM, 24))
            .replace("-%", "-" + chance.text(ALNUM, 24))
            .replace("01%", "01" + chance.text(ALNUM, 22))
            .replace(" %", " " + chance.text(ALNUM, 24))
        )
