"""Prefixes of vendors' keys, from public documentation: docs/key-formats.md has the source of each."""

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
API_KEY 8: glagent- glcbt- gldt- glffct- glft- glimt- gloas- glpat- glptt- glrt- glrtr- glsoat- pk_live_
    pk_test_ rk_live_ rk_prod_ rk_test_ sk_live_ sk_prod_ sk_test_ sm_aat_ sm_pat_ sm_sat_ tgp_v1_ xapp-
    xoxa- xoxb- xoxc- xoxd- xoxe- xoxe. xoxo- xoxp- xoxr- xoxs- sk-proj- sk-svcacct- sk-admin- sk-ant-
    sk-or-v1- sk-lf- pk-lf- wandb_v1_ cfut_ cfat_ cfk_ FlyV1 signkey-prod- signkey-test- signkey-branch-
    sk-helicone- pk-helicone- pylf_v1_
API_KEY 12: AIza FLWPUBK FLWSECK GOCSPX- GR1348941 NRAA- NRAK- NRII- NRJS- NRRA- dckr_oat_ dckr_pat_
    dp.ct. dp.pt. dp.sa. dp.st. dp.scim. dp.audit. gho_ ghp_ ghr_ ghs_ ghu_ github_pat_ pscale_oauth_
    pscale_pw_ pscale_tkn_ pscale_otk_ sb_secret_ sb_publishable_ sq0atp- sq0csp- sq0idp- tskey- tvly-
    whsec_ AQ.Ab csk- llx- e2b_ nfp_ nfo_ nfc_ nfu_ nfb_ vcp_ vci_ vca_ vcr_ vck_ napi_ bkua_ bkct_ bkaj_
    bkaa_ bkpt_ bb_live_ bb_test_ fm1r_ fm1a_ fm2_ fo1_ rpa_ rnd_ fc- pat-na1- pat-na2- pat-eu1- pat-ap1-
    cal_live_ cal_test_ rzp_live_ rzp_test_ pdl_live_ pdl_sdbx_ pdl_ntfset_ polar_oat_ polar_pat_
    polar_whs_ CCIPRJ_ CCDB1_ os_v2_app_ os_v2_org_ hcaik_ hcamk_ hcxik_ xaat- xapt- dbtc_ dbtu_ n8n_api_
    xsmtpsib- mdb_sa_sk_ mdb_sa_id_ esecret_ secret-live- secret-test- flb_live_ oa2-client- hxtp_ hxtw_
    sk_car_ cpk_ opk_ dtn_ ste- hl_sk_ confident_us_ dvc_server_ dvc_client_ CW-SECRET- xau_ luma- ck-
    aio_ sntryi_ snyk_ shpua_ shptka_ pnb_ lsk_ phs_ phr_ pha_ wos_ kn_ live_pub_ prod_pub_ AKLT ATSTT3
    ATTA EAAG GHSAT0 figoh_ figor_ figuh_ cog_ mgp_sk_ scp- sgd_ dt0s16. dt0s02. dt0s08.
API_KEY 16: 1//0 CCIPAT_ LTAI SG. YCAJ _gitlab_session= apify_api_ bedrock-api-key- doo_v1_ dop_v1_
    dor_v1_ dt0c01. figd_ figo_ fw_ glsa_ gsk_ hf_ hvb. hvr. hvs. jina_ lin_api_ lin_oauth_ lin_wh_ llmo_
    lsv2_ nvapi- ops_eyJ pcsk_ pplx- r8_ sgp_ shpat_ shpca_ shppa_ shpss_ sk- sntrys_ sntryu_ t1.9euel
    xai- ya29. pa- BSA AQ. cfp_ m0- hb_ pub-c- sub-c- sec-c- slk_ hawk. tkn.v1_ BBFF- NF- odt_ AKID AQE
    nk- tnt_
API_KEY 20: AAAAAAAAAAAAAAAAAAAAA AGE-SECRET-KEY-1 API- AQVN ATATT3 ATBB ATCTT3 CFPAT- CLOJARS_ HRKU-
    PMAK- access_token$ api_org_ authress_ duffel_ eyJrIjoi fio-u- glc_ ico- npm_ ntn_ phc_ phx_ pk.eyJ
    pnu_ pul- pypi- rdme_ retool_ rubygems_ sbp_ scauth_ shippo_ sib- sk.eyJ sk_ sqa_ sqp_ squ_ tfp_
    tk-us- wak_ wsk_ xkeysib- tk.eyJ SCW
API_KEY 24: ABSK exa_ p8e- re_
API_KEY 26: A3-
API_KEY 30: EAAA EAAC EAAM EZAK EZTK dapi dose dkea pat. s-s4t2 sat. secret_ sha256~ 4b1d
API_KEY 32: AC SK ZAPIER_ cio ext_ ion_ key- live_ maker_ mapbox_ p8 prefect_ pubkey- sc_ tok_ test_
API_KEY 36: YC dG9rO
API_KEY 40: AKCp PSK access- cf- cmVmd cmVmdG nrl ocid1. oy2 v1.0- 00 prod: sdk- api-
API_KEY 60: EAA patb sl. pat
API_KEY 80: S2c
AWS_KEY 12: ABIA ACCA AKIA ASIA
AWS_KEY 14: A3T
PRIVATE_KEY 30: MIIEvQIBADANBgkqhkiG MIIEvAIBADANBgkqhkiG MIIEvgIBADANBgkqhkiG MIIEowIBAAKCAQEA
    MIIEpAIBAAKCAQEA MIIEpQIBAAKCAQEA MIIJKQIBAAKCAgEA MIIJKAIBAAKCAgEA MIIJQgIBADANBgkqhkiG
    MIIJQwIBADANBgkqhkiG MHcCAQEEI MIGHAgEAMBMGByqGSM49 MC4CAQAwBQYDK2VwBCIEI b3BlbnNzaC1rZXktdjEA
    MIICXAIBAAKBgQ MIICXQIBAAKBgQ
"""


def _parse(table: str) -> list[KeyPrefix]:
    prefixes: list[KeyPrefix] = []
    kind, min_chars = "", 0
    for word in table.split():
        if word in {"API_KEY", "AWS_KEY", "PRIVATE_KEY"}:
            kind = word
        elif re.fullmatch(r"\d+:", word) and word != "00":
            min_chars = int(word[:-1])
        else:
            prefixes.append(KeyPrefix(word, kind, min_chars))
    return prefixes


ALL: Final = _parse(_TABLE)
EXACT: Final = {
    prefix: re.compile(shape + r"(?![A-Za-z0-9_-])")
    for shape, prefixes in {
        r"[A-Za-z]{34}": ("hf_", "api_org_"),
        r"[A-Z0-9]{16}": ("AKIA", "ASIA", "ABIA", "ACCA"),
        r"[A-Z0-9]{26}": ("API-",),
        r"[A-Za-z0-9]{54}": ("EZAK", "EZTK"),
        r"[A-Za-z0-9]{32}": ("ico-",),
        r"[a-z0-9]{36}": ("npm_",),
        r"[A-Za-z0-9_-]{40}": ("00",),
        r"[A-Za-z0-9]{14}\.[a-f0-9]{64}": ("pat",),
        r"[0-9a-f-]{36}": ("sdk-", "api-"),
        r"[0-9a-f]{32}": ("AC", "SK", "4b1d"),
    }.items()
    for prefix in prefixes
}
"""Patterns of keys that may not look random, by prefix."""
ONLY_EXACT: Final = frozenset({"API-", "EZAK", "EZTK", "ico-", "api_org_", "00", "pat", "sdk-", "api-"})
"""Prefixes that are ordinary words: only an exact match is a key."""


EXACT_CHARS: Final = {"sdk-": 36, "api-": 36, "00": 40}
"""Lengths of the keys that EXACT allows to be shorter than their prefix's least number of characters."""


def alternatives(texts: list[str]) -> str:
    """Return a pattern that matches the longest of the texts, in the shape of a tree."""
    by_first: dict[str, list[str]] = {}
    for text in texts:
        if text:
            by_first.setdefault(text[0], []).append(text[1:])
    branches = [re.escape(first) + alternatives(rest) for first, rest in sorted(by_first.items())]
    if not branches:
        return ""
    return f"(?:{'|'.join(branches)})" + ("?" if "" in texts else "")


_HEAD_CHARS: Final = 3
BY_HEAD: Final = {
    head: [prefix for prefix in ALL if prefix.text.startswith(head)]
    for head in {prefix.text[:_HEAD_CHARS] for prefix in ALL if len(prefix.text) >= _HEAD_CHARS}
}
"""Prefixes by their first three characters."""
HEADS: Final = frozenset(BY_HEAD)
SHORT: Final = {prefix.text: prefix for prefix in ALL if len(prefix.text) < _HEAD_CHARS}
"""Prefixes of two characters, behind which a long run must follow."""
GLUED: Final = re.compile(
    alternatives(
        [
            each.text
            for each in ALL
            if each.text not in ONLY_EXACT and re.fullmatch(r"[A-Za-z].{2,}_|[A-Za-z].{3,}[-.]", each.text)
        ]
    )  # shorter ones end words
)
"""Matches a prefix that is unmistakable even right behind a letter or a digit."""
