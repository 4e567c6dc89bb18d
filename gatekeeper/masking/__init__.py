"""Masking: finds personal data and secrets in traffic, and masks them, in whole messages and in streams."""

from gatekeeper.masking.detector import Span
from gatekeeper.masking.encoding import Decoding, acceptable, decode_body
from gatekeeper.masking.explain import Explanation
from gatekeeper.masking.faults import BodyTooLarge, UnknownEncoding, UnreadableBody
from gatekeeper.masking.masker import Inspected, Masker, explanations, find_spans, mask_text
from gatekeeper.masking.own import scanner_of
from gatekeeper.masking.pseudonyms import Book, Pseudonyms
from gatekeeper.masking.stream import StreamMasker, stream_masker
from gatekeeper.masking.websocket import Fragments, MaskedMessage, mask_message

__all__ = [
    "BodyTooLarge",
    "Book",
    "Decoding",
    "Explanation",
    "Fragments",
    "Inspected",
    "MaskedMessage",
    "Masker",
    "Pseudonyms",
    "Span",
    "StreamMasker",
    "UnknownEncoding",
    "UnreadableBody",
    "acceptable",
    "decode_body",
    "explanations",
    "find_spans",
    "mask_message",
    "mask_text",
    "scanner_of",
    "stream_masker",
]
