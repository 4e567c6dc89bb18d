"""Bodies: compressed, encrypted under their session's key, committed to by hash (JOURNAL.md, "Body")."""

import hashlib
import os
from typing import Final

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag

from gatekeeper.exchange import Seq
from gatekeeper.journal.draft import Content
from gatekeeper.journal.entries import Body
from gatekeeper.journal.files import PLAIN_LIMIT
from gatekeeper.journal.keys import SessionKey

NONCE_SIZE: Final = 12
CONTENT: Final = 0
TIMELINE: Final = 1


def seal_body(seq: Seq, content: Content, key: SessionKey) -> tuple[Body, list[bytes]]:
    """Encrypt a body's parts for the entry `seq`; gives what the leaf says of them, and the parts to store."""
    parts = [_seal(seq, CONTENT, content.data, key)]
    if content.timeline is not None:
        parts.append(_seal(seq, TIMELINE, msgspec.json.encode(content.timeline), key))
    hashes = tuple([hashlib.sha256(part).hexdigest() for part in parts])
    return Body(key=key.id, media=content.media, parts=hashes, size=len(content.data)), parts


def open_part(seq: int, part: int, stored: bytes, key: SessionKey) -> bytes:
    """Decrypt one stored part; raises ValueError where it is not what its entry says."""
    try:
        frame = key.cipher.decrypt(stored[:NONCE_SIZE], stored[NONCE_SIZE:], _place(seq, part))
        return key.codec.decompress(frame, PLAIN_LIMIT)
    except (InvalidTag, ValueError, LookupError, zstandard.ZstdError) as error:
        msg = f"part {part} of entry {seq} can't be decrypted"
        raise ValueError(msg) from error


def _seal(seq: Seq, part: int, data: bytes, key: SessionKey) -> bytes:
    nonce = os.urandom(NONCE_SIZE)
    return nonce + key.cipher.encrypt(nonce, key.codec.compress(data), _place(seq, part))


def _place(seq: int, part: int) -> bytes:
    """Give the associated data: seq and part, 8 bytes each, big-endian."""
    return seq.to_bytes(8) + part.to_bytes(8)
