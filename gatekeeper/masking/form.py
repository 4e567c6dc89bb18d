"""Forms as in application/x-www-form-urlencoded, and the path and query of a URL, which is written the same way."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from gatekeeper.masking.document import Document
from gatekeeper.masking.json_source import key_words
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.strand import Leaf, Strand, hits
from gatekeeper.masking.view import form_encoded, percent_encoded

PAIR: Final = re.compile(r"([^=&;#?]*)(?:=([^&;#]*))?(?:[&;#]|\Z)")


def form_document(scanner: Scanner, raw: bytes, text: str, charset: str, work: Work) -> Document:
    """Read a form."""
    strands = list(form_strands(text, 0))
    read = lambda: tuple(strand.leaves[0].view.text for strand in strands if strand.left)  # noqa: E731 - two words
    return Document(raw=raw, text=text, charset=charset, hits=hits(scanner, strands, work), read=read)


def form_strands(text: str, start: int, skip: frozenset[str] = frozenset()) -> Iterator[Strand]:
    """Give a strand for each name, and for each value with its name to the left; none for the names in `skip`."""
    for pair in PAIR.finditer(text, start):
        name = form_encoded(pair[1])
        if name.text.lower() in skip:
            continue
        if pair[1]:
            yield Strand((Leaf(name, pair.start(1), quote_plus),))
        if pair[2]:
            yield Strand((Leaf(form_encoded(pair[2]), pair.start(2), quote_plus),), key_words((name.text,)) or "= ")


def path_strand(path: str, start: int) -> Strand:
    """Give the strand of a URL's path."""
    return Strand((Leaf(percent_encoded(path), start, quote),))
