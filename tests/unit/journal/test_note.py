import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.journal.merkle import Hash
from gatekeeper.journal.note import (
    Checkpoint,
    VerificationKey,
    read_checkpoint,
    read_cosigned,
    sign_checkpoint,
    strict_base64,
    verification_key,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ORIGIN = "gatekeeper.local/journal"
CHECKPOINT = Checkpoint(ORIGIN, 1041, Hash(hashlib.sha256(b"root").digest()))
VKEY = verification_key(ORIGIN, KEY)


def test_a_note_is_byte_for_byte_what_c2sp_says() -> None:
    public = KEY.public_key().public_bytes_raw()
    text = f"{ORIGIN}\n1041\n{base64.b64encode(CHECKPOINT.root).decode()}\n"
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + public).digest()[:4]
    signature = base64.b64encode(key_id + KEY.sign(text.encode())).decode()
    assert sign_checkpoint(CHECKPOINT, KEY) == f"{text}\n\u2014 {ORIGIN} {signature}\n"


def test_a_verification_key_is_origin_hash_and_key() -> None:
    public = KEY.public_key().public_bytes_raw()
    key_id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + public).hexdigest()[:8]
    assert VKEY.text() == f"{ORIGIN}+{key_id}+{base64.b64encode(b'\x01' + public).decode()}"
    assert VerificationKey.parse(VKEY.text()) == VKEY
    assert VerificationKey.parse(VKEY.text() + "\n") == VKEY


def test_a_note_that_was_signed_is_read_back() -> None:
    assert read_checkpoint(sign_checkpoint(CHECKPOINT, KEY), VKEY) == CHECKPOINT


NOTE = sign_checkpoint(CHECKPOINT, KEY)


@pytest.mark.parametrize(
    "note",
    [
        "",
        NOTE.replace("1041", "1042"),
        NOTE.replace("1041", "01041"),
        NOTE.replace(ORIGIN, "other.example/journal"),
        NOTE.replace(f"\u2014 {ORIGIN}", "\u2014 other.example/journal"),
        NOTE.replace("\u2014", "-"),
        NOTE[:-1],
        NOTE + "\n",
        NOTE.replace("\n\n", "\nextension\n\n"),
        NOTE + NOTE.splitlines()[-1] + "\n",
        sign_checkpoint(CHECKPOINT, OTHER),
        sign_checkpoint(Checkpoint("other.example/journal", 1041, CHECKPOINT.root), KEY),
    ],
)
def test_any_other_note_is_refused(note: str) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        read_checkpoint(note, VKEY)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        VKEY.text().replace("+", "-"),
        VKEY.text().replace("gatekeeper", "gatekeepes"),
        VKEY.text()[:-4],
        VKEY.text()[:-1] + "!",
    ],
)
def test_any_other_verification_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="verification key"):
        VerificationKey.parse(text)


@pytest.mark.parametrize("at", range(len(NOTE)))
def test_every_character_of_a_note_counts(at: int) -> None:
    changed = NOTE[:at] + chr(ord(NOTE[at]) ^ 1) + NOTE[at + 1 :]
    with pytest.raises(ValueError, match="checkpoint"):
        read_checkpoint(changed, VKEY)


def test_a_text_of_another_origin_is_refused_also_when_the_key_signed_it() -> None:
    text = sign_checkpoint(CHECKPOINT, KEY).partition("\n\n")[0].replace(ORIGIN, "other.example") + "\n"
    signature = base64.b64encode(VKEY.id + KEY.sign(text.encode())).decode()
    with pytest.raises(ValueError, match="another origin"):
        read_checkpoint(f"{text}\n\u2014 {ORIGIN} {signature}\n", VKEY)


def signature_line(name: str, key: Ed25519PrivateKey) -> str:
    note = sign_checkpoint(Checkpoint(name, 1041, CHECKPOINT.root), key)
    return note.splitlines()[-1] + "\n"


def test_an_anchor_may_bear_signatures_of_others_too() -> None:
    witness = signature_line("witness.example", OTHER)
    text, _, own = NOTE.partition("\n\n")
    assert read_cosigned(NOTE + witness, VKEY) == CHECKPOINT
    assert read_cosigned(f"{text}\n\n{witness}{own}", VKEY) == CHECKPOINT
    with pytest.raises(ValueError, match="one signature"):
        read_checkpoint(NOTE + witness, VKEY)


def test_signatures_of_others_alone_are_none() -> None:
    text, _, own = NOTE.partition("\n\n")
    witness = own.replace(ORIGIN, "witness.example")
    with pytest.raises(ValueError, match="not by the journal's key"):
        read_cosigned(f"{text}\n\n{witness}", VKEY)


@pytest.mark.parametrize("text", ["AB==", "AAB=", "A===", "AA=", "A", "AA==\n"])
def test_base64_has_one_way_to_be_written(text: str) -> None:
    with pytest.raises(ValueError, match=r"(?i)base64|padding"):
        strict_base64(text)
