"""Reads SSHSIG signatures (OpenSSH's PROTOCOL.sshsig) for what `ssh-keygen -Y verify` leaves to the caller.

It proves nothing: ssh-keygen does. Here is looked up which key signed, with which hash, and whether somebody
touched the key.
"""

import base64
import binascii
import re
from typing import Final

import msgspec

from gatekeeper.exchange import Reason
from gatekeeper.journal.statement import NAMESPACE, DecisionRefused

MAX_SIGNATURE: Final = 16 << 10
"""Characters of armor; an RSA-4096 signature has 1,500."""

HASHES: Final = frozenset({"sha512", "sha256"})
SK_USER_PRESENT: Final = 0x01
"""SSH_SK_USER_PRESENCE_REQD of PROTOCOL.u2f: somebody touched the key."""

_ARMOR: Final = re.compile(r"-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n?")
_MAGIC: Final = b"SSHSIG\x00\x00\x00\x01"
_HARDWARE: Final = re.compile(r"(webauthn-)?sk-")
_CERTIFICATE: Final = re.compile(r"(.+)-cert-v\d\d@openssh\.com")


# The members of a public key's blob after its type, which a certificate repeats after type and nonce
# (PROTOCOL.certkeys). The longest beginning that fits counts.
_MEMBERS: Final = {
    "ssh-rsa": 2,
    "ssh-ed25519": 1,
    "ecdsa-sha2-": 2,
    "sk-ssh-ed25519": 2,
    "sk-ecdsa-sha2-": 3,
}


class Sshsig(msgspec.Struct, frozen=True):
    """A signature, taken apart. `key` is the public key's blob; `touched` is None for keys that are no hardware.

    Of a certificate it is the blob of the key that is certified, so that one key is one key however it is shown.
    """

    key: bytes
    key_type: str
    hash: str
    touched: bool | None


def parse_sshsig(armored: str) -> Sshsig:
    """Take an armored signature apart and check what can be checked without cryptography; raises DecisionRefused."""
    outer = _Reader(_dearmor(armored))
    if outer.take(len(_MAGIC)) != _MAGIC:
        raise _malformed("it is not of SSHSIG version 1")
    key, namespace, _reserved, hash_name, inner = (outer.string() for _ in range(5))
    outer.end()
    found = Sshsig(_plain(key), _Reader(key).text(), hash_name.decode("ascii", "replace"), _touched(inner))
    if namespace != NAMESPACE.encode():
        msg = f"the signature is for another purpose: sign with `ssh-keygen -Y sign -n {NAMESPACE}`"
        raise DecisionRefused(msg, Reason.DECISION_UNSIGNED)
    if found.hash not in HASHES:
        msg = "the signature's hash algorithm is not SHA-512 or SHA-256"
        raise DecisionRefused(msg)
    if found.touched is False:
        msg = "the hardware key was not touched: make it with user presence required, and touch it when it blinks"
        raise DecisionRefused(msg, Reason.DECISION_UNSIGNED)
    return found


def _plain(key: bytes) -> bytes:
    """Give a key's own blob, taken out of its certificate where it is in one."""
    reader = _Reader(key)
    kind = reader.text()
    certified = _CERTIFICATE.fullmatch(kind)
    if certified is None:
        return key
    members = max((name for name in _MEMBERS if kind.startswith(name)), key=len, default=None)
    if members is None:
        raise _malformed("its certificate is of an unknown type")
    reader.string()  # the nonce
    plain = f"{certified[1]}{'@openssh.com' if certified[1].startswith('sk-') else ''}".encode()
    return b"".join(map(_packed, [plain, *(reader.string() for _ in range(_MEMBERS[members]))]))


def _packed(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def _dearmor(armored: str) -> bytes:
    # Strict, so that ssh-keygen, who reads the same text, can't see another signature in it.
    match = _ARMOR.fullmatch(armored) if len(armored) <= MAX_SIGNATURE else None
    if match is None:
        raise _malformed("expected the armored text that `ssh-keygen -Y sign` prints")
    try:
        return base64.b64decode(match[1].replace("\n", ""), validate=True)
    except binascii.Error as error:
        raise _malformed("its base64 is damaged") from error


def _touched(signature: bytes) -> bool | None:
    reader = _Reader(signature)
    kind = reader.text()
    reader.string()
    return bool(reader.take(1)[0] & SK_USER_PRESENT) if _HARDWARE.match(kind) else None


def _malformed(why: str) -> DecisionRefused:
    return DecisionRefused(f"the signature can't be read: {why}")


class _Reader:
    """Reads the wire format of RFC 4251 §5."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        if len(piece) != size:
            raise _malformed("it ends too early")
        self._at += size
        return piece

    def string(self) -> bytes:
        return self.take(int.from_bytes(self.take(4)))

    def text(self) -> str:
        return self.string().decode("ascii", "replace")

    def end(self) -> None:
        if self._at != len(self._data):
            raise _malformed("something follows it")
