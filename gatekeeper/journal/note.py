"""Checkpoints as signed notes, and the key that verifies them (C2SP signed-note, tlog-checkpoint)."""

import base64
import hashlib
import re
from typing import Final, Self

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gatekeeper.journal.merkle import HASH_SIZE, Hash

ED25519: Final = 0x01
"""The signature type of a plain Ed25519 signature over the note's text."""

KEY_ID_SIZE: Final = 4
LINES: Final = 5
"""Line ends in a note with one signature."""

_TEXT: Final = r"(?P<origin>[^\n]+)\n(?P<size>0|[1-9][0-9]{0,15})\n(?P<root>[A-Za-z0-9+/]{43}=)\n"
_SIGNATURE: Final = r"— (?P<name>[^\s+]+) (?P<signature>[A-Za-z0-9+/]+={0,2})\n"
_NOTE: Final = re.compile(rf"(?P<text>{_TEXT})\n(?P<signatures>(?:— [^\s+]+ [A-Za-z0-9+/]+={{0,2}}\n)+)")
_LINE: Final = re.compile(_SIGNATURE)
_VKEY: Final = re.compile(r"(?P<origin>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]+={0,2})\n?")


class Checkpoint(msgspec.Struct, frozen=True):
    """What a note says: the tree of `origin` has `size` leaves and this `root`."""

    origin: str
    size: int
    root: Hash


class VerificationKey(msgspec.Struct, frozen=True):
    """A public key with the name that its signatures bear."""

    origin: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ORIGIN+HASH+BASE64`; raises ValueError."""
        match = _VKEY.fullmatch(text)
        if match is None:
            msg = "a verification key is one line ORIGIN+HASH+BASE64"
            raise ValueError(msg)
        try:
            raw = strict_base64(match["key"])
        except ValueError as error:
            msg = "the verification key's base64 is damaged"
            raise ValueError(msg) from error
        key = cls(match["origin"], raw[1:])
        if raw[:1] != bytes([ED25519]) or len(raw) != 1 + HASH_SIZE or key.id.hex() != match["id"]:
            msg = "the verification key is no Ed25519 key, or its hash is not that of its key"
            raise ValueError(msg)
        return key

    @property
    def id(self) -> bytes:
        """The key id: SHA-256(ORIGIN ‖ 0x0A ‖ 0x01 ‖ KEY), first 4 bytes."""
        named = self.origin.encode() + b"\n" + bytes([ED25519]) + self.key
        return hashlib.sha256(named).digest()[:KEY_ID_SIZE]

    def text(self) -> str:
        """Write it as C2SP does, without a line end."""
        return f"{self.origin}+{self.id.hex()}+{base64.b64encode(bytes([ED25519]) + self.key).decode()}"


def verification_key(origin: str, key: Ed25519PrivateKey) -> VerificationKey:
    """Give the public half of a signing key."""
    return VerificationKey(origin, key.public_key().public_bytes_raw())


class Signer:
    """Signs the tree heads of one log."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        self._origin = origin
        self._key = key
        self._id = verification_key(origin, key).id

    def sign(self, checkpoint: Checkpoint) -> str:
        """Write and sign the note of a tree head."""
        text = f"{checkpoint.origin}\n{checkpoint.size}\n{base64.b64encode(checkpoint.root).decode()}\n"
        signature = base64.b64encode(self._id + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self._origin} {signature}\n"


def sign_checkpoint(checkpoint: Checkpoint, key: Ed25519PrivateKey) -> str:
    """Write and sign one note."""
    return Signer(checkpoint.origin, key).sign(checkpoint)


def read_checkpoint(note: str, key: VerificationKey) -> Checkpoint:
    """Read a note of the log's own, with its one signature, and check it; raises ValueError that says what is wrong."""
    if note.count("\n") != LINES:
        msg = "a checkpoint is not of the form of a note with one signature"
        raise ValueError(msg)
    return read_cosigned(note, key)


def read_cosigned(note: str, key: VerificationKey) -> Checkpoint:
    """Read a note that others may have signed too, and check the signature by `key`; raises ValueError."""
    match = _NOTE.fullmatch(note)
    if match is None:
        msg = "a checkpoint is not of the form of a note"
        raise ValueError(msg)
    if match["origin"] != key.origin:
        msg = "a checkpoint is of another origin"
        raise ValueError(msg)
    own = [line["signature"] for line in _LINE.finditer(match["signatures"]) if line["name"] == key.origin]
    if not any(_is_by(key, match["text"], signature) for signature in own):
        msg = "a checkpoint's signature is not by the journal's key"
        raise ValueError(msg)
    return Checkpoint(match["origin"], int(match["size"]), Hash(base64.b64decode(match["root"])))


def checkpoint_of(note: str) -> Checkpoint:
    """Read a note without looking at who signed it; raises ValueError."""
    match = _NOTE.fullmatch(note)
    if match is None:
        msg = "a checkpoint is not of the form of a note"
        raise ValueError(msg)
    return Checkpoint(match["origin"], int(match["size"]), Hash(base64.b64decode(match["root"])))


def _is_by(key: VerificationKey, text: str, encoded: str) -> bool:
    try:
        signature = strict_base64(encoded)
        Ed25519PublicKey.from_public_bytes(key.key).verify(signature[KEY_ID_SIZE:], text.encode())
    except (ValueError, InvalidSignature):
        return False
    return signature[:KEY_ID_SIZE] == key.id


def strict_base64(text: str) -> bytes:
    """Decode base64 of which there is only one way to write it (RFC 4648 §3.5); raises ValueError."""
    decoded = base64.b64decode(text, validate=True)
    if base64.b64encode(decoded).decode() != text:
        msg = "base64 with bits that say nothing"
        raise ValueError(msg)
    return decoded
