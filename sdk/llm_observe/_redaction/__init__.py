"""Detectors of secrets and personal data: each yields TextRanges of a normalised text.

normalise     one character for one: separators and digits of all scripts as ASCII
prefixes      how the vendors' keys begin
credentials   keys known by their prefix, JWT, private keys, authorization headers, passwords in URLs
names         which names are those of secrets
assignments   values that a name such as ``password`` or ``x-api-key`` gives away
numbers       cards, social security and phone numbers, IBAN
addresses     email, IP, MAC, wallets

Every detector is anchored on a literal that is cheap to look for, and linear in the length of the text.
"""
