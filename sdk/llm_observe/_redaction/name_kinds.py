"""Tells what a name says of its value: a password, a secret, a token, a key of some kind, or nothing."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from typing import Final

from llm_observe._redaction.names import KEY_WORDS, NOT_NAMES, PASSWORD_WORDS, words_of
from llm_observe._redaction.prefixes import alternatives


class NameKind(IntEnum):
    """What a value with a name is, from nothing to any word at all."""

    NONE = 0
    KEY = 1
    """A key of an unknown kind: a secret if it looks random and is neither a UUID nor made of words."""
    TOKEN = 2
    """A secret if it looks random."""
    SECRET = 3
    """A secret if it is no plain word, or quoted."""
    PASSWORD = 4
    """A secret even if it is a plain word."""


_SHORT_PASSWORDS: Final = frozenset(
    {"pwd", "pw", "psw", "pswd", "passe", "mdp", "passwd", "pwds", "pswrd", "passw", "passwrd"}
)
_SECRETS: Final = frozenset(
    {"pass", "secret", "secrets", "pin", "otp", "cvv", "cvc", "passkey", "mnemonic", "pass1", "pass2"}
)
_TOKENS: Final = frozenset({
    "token", "tok", "apikey", "credential", "credentials", "cred", "creds", "auth", "authorization",
    "authtoken", "signature", "sig", "ptt", "pat", "bearer", "jwt", "apitoken", "accesskey", "secretkey",
    "accesstoken",
})  # fmt: skip
_SESSIONS: Final = frozenset({"sid", "sess", "sessionid", "jsessionid", "phpsessid", "sessid", "session"})
_SECRET_KEYS: Final = frozenset({
    "api", "access", "secret", "private", "auth", "signing", "encryption", "license", "licence",
    "account", "shared", "service", "master", "admin", "ssh", "subscription", "storage", "app",
    "application", "functions", "deploy", "rsa", "aes", "hmac", "webhook", "server", "client",
    "integration", "write", "ingest", "security", "consumer", "activation", "session", "vault", "crypto",
    "cipher", "rest", "sdk", "developer", "dev", "prod", "live", "test", "root", "signature", "jwt",
    "decryption",
})  # fmt: skip
_VENDOR_NAMES: Final = """
    airtable algolia alchemy amplitude anthropic apify asana atlassian auth0 aws azure bitbucket
    bitly braintree brevo buildkite calendly cerebras clearbit cloudflare cloudinary codecov cohere
    contentful coinbase datadog deepgram deepl deepseek discord docker doppler dropbox dynatrace
    elastic elevenlabs etherscan eventbrite facebook fastly figma firebase fireworks flickr gemini
    github gitlab google grafana groq heroku honeycomb hubspot huggingface infura intercom ipinfo
    jira jina kraken launchdarkly linear linkedin lob mailchimp mailgun mapbox maxmind mistral
    mixpanel mongo netlify newrelic ngrok notion npm nytimes okta openai openrouter openweather
    pagerduty paypal perplexity pinecone plaid planetscale postman posthog pusher pypi razorpay
    redis render replicate resend rollbar runpod salesforce sendgrid sentry shodan shopify slack
    snowflake snyk sonar sourcegraph splunk spotify square squarespace stripe supabase tavily
    telegram telnyx terraform together trello twilio twitter typeform unsplash vercel virustotal
    voyage wandb weatherapi xai yandex youtube zapier zendesk bird
"""
_VENDORS: Final = frozenset(_VENDOR_NAMES.split())
_PLAIN_KEYS: Final = frozenset({
    "idempotency", "cache", "partition", "primary", "foreign", "sort", "row", "object", "map", "dict",
    "dedup", "deduplication", "group", "routing", "index", "shard", "unique", "cursor", "lookup", "s3",
    "redis", "blob", "bucket", "json", "public", "pub", "event", "message", "record", "entity",
    "resource", "item", "data", "document", "translation", "label", "hash", "range", "lock", "queue",
    "topic", "correlation", "request", "trace", "external", "natural", "surrogate", "composite", "merge",
    "join", "search", "config", "setting", "feature", "flag", "meta", "arrow", "escape", "enter", "shift",
    "ctrl", "hot", "short", "tab", "host", "column", "field", "property", "attribute", "header", "param",
    "query", "registry", "issue", "project", "state", "store", "bind", "concurrency", "conversation",
    "kv", "answer", "press", "any", "song", "piano", "minor", "major",
})  # fmt: skip
"""Words before key that make it no secret."""
_PLAIN_TOKENS: Final = frozenset({
    "page", "next", "continuation", "cursor", "max", "min", "num", "total", "prompt", "completion",
    "input", "output", "count", "stop", "eos", "bos", "pad", "special", "cls", "sep", "mask", "unk",
    "per", "cancellation", "cancel", "sync", "first", "last", "time", "current",
})  # fmt: skip
_PLAIN_ENDINGS: Final = frozenset({
    "policy", "field", "length", "len", "min", "max", "file", "path", "expired", "expiry", "expires",
    "required", "error", "errors", "hint", "label", "placeholder", "column", "manager", "strength",
    "type", "count", "name", "url", "uri", "id", "ids", "ref", "vault", "map", "board", "word", "words",
    "code", "codes", "size", "izer", "form", "input", "page", "reset", "rule", "rules", "class",
    "validator", "encoder", "generator", "format", "provider", "service", "store", "handler", "endpoint",
    "usage", "budget", "limit", "limits", "stream", "ed", "age", "exp", "ttl", "exists", "updated",
    "changed", "index", "event", "frame", "mgr", "source", "results", "audience", "schema",
})  # fmt: skip
"""Last words that make a name tell something about a secret, not the secret."""
_VALUE_ENDINGS: Final = frozenset({
    "value", "string", "base64", "b", "hex", "pem", "prod", "dev", "test", "staging", "live", "v", "old",
    "new", "primary", "secondary", "backup", "current", "raw", "text", "plain", "production",
    "development", "sandbox", "default", "a", "eu", "us", "main",
})  # fmt: skip
_PASSWORD_WORD: Final = re.compile(alternatives(list(PASSWORD_WORDS)))
_KEY_WORD: Final = re.compile(alternatives(list(KEY_WORDS)))
_UNSPLIT_PASSWORD_WORD: Final = re.compile(
    alternatives([word for word in PASSWORD_WORDS if not word.isascii() or " " in word])
)
"""Matches words that words_of() would split."""


@lru_cache(maxsize=4096)
def kind_of(name: str, before: str) -> NameKind:
    """Return what a name says of its value; ``before`` is the word before it, in lower case."""
    lowered = name.lower()
    if _UNSPLIT_PASSWORD_WORD.search(lowered):
        return NameKind.PASSWORD
    if _KEY_WORD.search(lowered):
        return NameKind.TOKEN
    words = words_of(name)
    while len(words) > 1 and words[-1] in _VALUE_ENDINGS:
        words.pop()
    if not words or words[-1] in _PLAIN_ENDINGS:
        return NameKind.NONE
    joined = "".join(words)
    if _PASSWORD_WORD.search(joined) or not _SHORT_PASSWORDS.isdisjoint(words) or joined.endswith("pwd"):
        return NameKind.PASSWORD
    if "secret" in joined or not _SECRETS.isdisjoint(words) or words[-1].endswith("pass"):
        return NameKind.NONE if joined in {"secretary", "compass", "bypass", "trespass"} else NameKind.SECRET
    return _kind_of_key(name, words, words[-2] if len(words) > 1 else before)


def _kind_of_key(name: str, words: list[str], before: str) -> NameKind:
    last = words[-1]
    if last in _TOKENS or last.endswith("token"):
        plain = (before in _PLAIN_TOKENS and last.endswith("token")) or not _PLAIN_TOKENS.isdisjoint(
            words[:-1]
        )
        return NameKind.NONE if plain else NameKind.TOKEN
    if last.endswith("key"):
        qualifier = last[:-3] or before
        if qualifier in _PLAIN_KEYS:
            return NameKind.NONE
        return NameKind.TOKEN if qualifier in _SECRET_KEYS or qualifier in _VENDORS else NameKind.KEY
    if NOT_NAMES.fullmatch(name):
        return NameKind.NONE
    if not _SESSIONS.isdisjoint(words):
        return NameKind.KEY
    return NameKind.TOKEN if not _TOKENS.isdisjoint(words) or "credential" in words else NameKind.NONE
