"""Detectors of secrets and personal data: each yields TextRanges of a normalised text.

normalise     replaces separators and digits of all scripts by ASCII, one character for one
prefixes      prefixes of vendors' keys
credentials   keys with a known prefix, JWT, private keys, authorization headers, passwords in URLs
names         names of secrets
assignments   values assigned to a name such as ``password`` or ``x-api-key``
numbers       cards, social security and phone numbers, IBAN
addresses     email, IP, MAC, wallets

Every detector first searches for a literal, which is cheap, and is linear in the length of the text.
"""
