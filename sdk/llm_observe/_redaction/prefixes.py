"""Prefixes of vendors' keys, from the vendors' public documentation."""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class KeyPrefix(NamedTuple):
    """The prefix of one kind of key."""

    text: str
    kind: str
    min_chars: int
    """Least number of characters that must follow: few if the prefix is unmistakable."""


_TABLE: Final = """
API_KEY 8: glagent- glcbt- gldt- glffct- glft- glimt- gloas- glpat- glptt- glrt- glrtr- glsoat-
    pk_live_ pk_test_ rk_live_ rk_prod_ rk_test_ sk_live_ sk_prod_ sk_test_ sm_aat_ sm_pat_
    sm_sat_ tgp_v1_ xapp- xoxa- xoxb- xoxc- xoxd- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs-
API_KEY 12: AIza FLWPUBK FLWSECK GOCSPX- GR1348941 NRAA- NRAK- NRII- NRJS- dckr_oat_ dckr_pat_ dp.ct.
    dp.pt. dp.sa. dp.st. gho_ ghp_ ghr_ ghs_ ghu_ github_pat_ pscale_oauth_ pscale_pw_
    pscale_tkn_ sb_secret_ sq0atp- sq0csp- tskey- tvly- whsec_
API_KEY 16: 1//0 CCIPAT_ LTAI SG. YCAJ _gitlab_session= apify_api_ bedrock-api-key- doo_v1_ dop_v1_
    dor_v1_ dt0c01. figd_ figo_ fw_ glsa_ gsk_ hf_ hvb. hvr. hvs. jina_ lin_api_ lin_oauth_
    llmo_ lsv2_ nvapi- ops_eyJ pcsk_ pplx- r8_ sgp_ shpat_ shpca_ shppa_ shpss_ sk- sntrys_ sntryu_
    t1.9euel xai- ya29.
API_KEY 20: AAAAAAAAAAAAAAAAAAAAA AGE-SECRET-KEY-1 API- AQVN ATATT3 ATBB ATCTT3 CFPAT- CLOJARS_ HRKU-
    PMAK- access_token$ api_org_ authress_ duffel_ eyJrIjoi fio-u- glc_ ico- npm_ ntn_ phc_ phx_
    pk.eyJ pnu_ pul- pypi- rdme_ retool_ rubygems_ sbp_ scauth_ shippo_ sib- sk.eyJ sk_ sqa_
    sqp_ squ_ tfp_ tk-us- vck_ wak_ wsk_ xkeysib-
API_KEY 24: ABSK exa_ p8e- re_
API_KEY 26: A3-
API_KEY 30: EAAA EAAC EAAM EZAK EZTK dapi pat. s-s4t2 sat. secret_ sha256~
API_KEY 32: AC SK ZAPIER_ cio ext_ ion_ key- live_ maker_ mapbox_ p8 prefect_ pubkey- sc_ tok_
API_KEY 36: YC
API_KEY 40: AKCp PSK access- cf- cmVmd cmVmdG nrl ocid1. oy2 v1.0-
API_KEY 60: EAA patb sl. u.
API_KEY 80: S2c
AWS_KEY 12: ABIA ACCA AKIA ASIA
AWS_KEY 14: A3T
"""


def _parse(table: str) -> list[KeyPrefix]:
    prefixes: list[KeyPrefix] = []
    kind, min_chars = "", 0
    for word in table.split():
        if word in {"API_KEY", "AWS_KEY"}:
            kind = word
        elif re.fullmatch(r"\d+:", word):
            min_chars = int(word[:-1])
        else:
            prefixes.append(KeyPrefix(word, kind, min_chars))
    return prefixes


ALL: Final = _parse(_TABLE)
BY_HEAD: Final = {
    head: [prefix for prefix in ALL if prefix.text.startswith(head)]
    for head in {prefix.text[:2] for prefix in ALL}
}
"""Prefixes by their first two characters."""
EXACT: Final = {
    prefix: re.compile(shape)
    for shape, prefixes in {
        r"[A-Za-z]{34}": ("hf_", "api_org_"),
        r"[A-Z0-9]{16}": ("AKIA", "ASIA", "ABIA", "ACCA"),
        r"[A-Z0-9]{26}": ("API-",),
        r"[A-Za-z0-9]{54}": ("EZAK", "EZTK"),
        r"[A-Za-z0-9]{32}": ("ico-",),
        r"[a-z0-9]{36}": ("npm_",),
    }.items()
    for prefix in prefixes
}
"""Patterns of keys that may not look random, by prefix."""
ONLY_EXACT: Final = frozenset({"API-", "EZAK", "EZTK", "ico-", "api_org_"})
"""Prefixes that are ordinary words: only an exact match is a key."""
