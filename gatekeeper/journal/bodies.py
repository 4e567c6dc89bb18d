"""Bodies: compressed, encrypted under their session's key, committed to by hash (JOURNAL.md, "Body")."""

import hashlib
import os
from typing import Final

import msgspec
import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatekeeper.exchange import Seq
from gatekeeper.journal.draft import Content
from gatekeeper.journal.entries import Body
from gatekeeper.journal.files import PLAIN_LIMIT
from gatekeeper.journal.keys import DataKey, key_id

NONCE_SIZE: Final = 12
COMPRESSION_LEVEL: Final = 3
CONTENT: Final = 0
TIMELINE: Final = 1

_compressor: Final = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL)


def seal_body(seq: Seq, content: Content, key: DataKey) -> tuple[Body, list[bytes]]:
    """Encrypt a body's parts for the entry `seq`; gives what the leaf says of them, and the parts to store."""
    plain = [content.data]
    if content.timeline is not None:
        plain.append(msgspec.json.encode(content.timeline))
    parts = [_seal(seq, number, data, key) for number, data in enumerate(plain)]
    hashes = tuple(hashlib.sha256(part).hexdigest() for part in parts)
    return Body(key=key_id(key), media=content.media, parts=hashes, size=len(content.data)), parts


def open_part(seq: int, part: int, stored: bytes, key: DataKey) -> bytes:
    """Decrypt one stored part; raises ValueError where it is not what its entry says."""
    try:
        frame = AESGCM(key).decrypt(stored[:NONCE_SIZE], stored[NONCE_SIZE:], _place(seq, part))
        return zstandard.ZstdDecompressor().decompress(frame, max_output_size=PLAIN_LIMIT)
    except (InvalidTag, ValueError, zstandard.ZstdError) as error:
        msg = f"part {part} of entry {seq} can't be decrypted"
        raise ValueError(msg) from error


def _seal(seq: int, part: int, data: bytes, key: DataKey) -> bytes:
    nonce = os.urandom(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, _compressor.compress(data), _place(seq, part))


def _place(seq: int, part: int) -> bytes:
    """Give the associated data: seq and part, 8 bytes each, big-endian."""
    return seq.to_bytes(8) + part.to_bytes(8)
