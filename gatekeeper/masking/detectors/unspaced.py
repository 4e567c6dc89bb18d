"""Scripts that set no spaces between words: a letter of theirs beside a value is no part of it, `手机号是13912345678吗`."""

import re
from typing import Final

UNSPACED: Final = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
"""Thai, Lao, Burmese, Khmer, Chinese, Japanese and Korean, as the inside of a class of characters."""

_TOKEN: Final = re.compile(r"\[(\^?)((?:\\.|[^\]\\])+)\]|\\.", re.DOTALL)


def apart(pattern: str) -> str:
    r"""Give a pattern whose letters, `\w`, aren't those of such scripts."""
    return _TOKEN.sub(_apart, pattern)


def _apart(token: re.Match[str]) -> str:
    written, negated, inside = token[0], token[1], token[2] or token[0]
    if r"\W" in inside:  # what is no letter, or, negated, what is one
        return f"[{negated}{inside}{UNSPACED}]"
    if r"\w" not in inside:
        return written
    if negated:
        return f"(?:{written}|[{UNSPACED}])"
    others = inside.replace(r"\w", "")
    return rf"(?:[^\W{UNSPACED}]|[{others}])" if others else rf"[^\W{UNSPACED}]"
