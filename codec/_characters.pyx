# cython: language_level=3
"""Classes of characters, by byte of a normal text."""

from libc.string cimport memset


def _kinds_of(sign):
    alnum = sign.isascii() and sign.isalnum()
    return (
        DIGIT * sign.isdigit()
        | LETTER * (alnum and not sign.isdigit())
        | HEX * (sign in "0123456789abcdefABCDEF")
        | SPACE * (sign in " \t\n\r\f\v")
        | KEY * (alnum or sign in "_.~+/=%$:-")
        | NAME * (alnum or sign in "_.-")
        | GAP * (sign in " ().-/+")
        | MARK * (sign in "@:-.~!/")
        | TIE * (sign.isdigit() or sign in ":=|>~\"'`\t<")
        | RUN * (alnum or sign in "_-")
        | ADDRESS * (sign in "0123456789abcdefABCDEF:.")
    )


def _code_of(sign):
    if sign.isalpha():
        return ord(sign.lower()) - ord("a") + 1
    if sign.isdigit():
        return 27
    return 28 + "-_.".index(sign) if sign in "-_." else 31


memset(kinds, 0, sizeof(kinds))
memset(codes, 0, sizeof(codes))
for _place in range(1, 128):
    kinds[<int>_place] = _kinds_of(chr(_place))
    codes[<int>_place] = _code_of(chr(_place))
kinds[0] = MARK  # ends a text
