"""Detectors of secrets and personal data: each yields TextRanges of a decoded text.

escapes       decodes the escapes of JSON, URLs, XML and terminals, and maps ranges back
normalise     replaces look-alike characters of all scripts by ASCII, one for one
prefixes      prefixes of vendors' keys
credentials   keys by prefix or shape, JWT, authorization headers, webhooks
private_keys  PEM and PuTTY
connections   passwords in URLs and connection strings
names         names of secrets in many languages
name_kinds    what a name says of its value
values        whether a value beside a name is a secret
assignments   values beside names, whatever stands between them
commands      arguments of command-line tools, and cookies
numbers       cards, social security and phone numbers
national_ids  numbers of other states, off unless asked for
ibans         bank accounts
addresses     email, IP, MAC, wallets

Every detector first searches for a literal, which is cheap, and is linear in the length of the text. The
edges of a secret are those of its own characters; what stands beside it decides at most whether it is one.
"""
