"""XML and HTML, looked at as text: with their character references as what they mean."""

import html
import re
from typing import Final

from gatekeeper.masking.document import Document
from gatekeeper.masking.scanner import Scanner, Work
from gatekeeper.masking.strand import Leaf, Strand, hits
from gatekeeper.masking.view import View, rewritten

_REFERENCE: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});?")


def markup_document(scanner: Scanner, raw: bytes, text: str, charset: str, work: Work) -> Document:
    """Read markup; what is put in is escaped, so that it stays markup."""
    view = markup_text(text)
    found = hits(scanner, [Strand((Leaf(view, 0, html.escape),))], work)
    return Document(raw=raw, text=text, charset=charset, hits=found, read=lambda: (view.text,))


def markup_text(text: str) -> View:
    """View a text with character references as what they mean (HTML §13.5, XML §4.1)."""
    return rewritten(text, _REFERENCE, lambda found: html.unescape(found[0])) if "&" in text else View(text)
