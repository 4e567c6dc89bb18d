"""Who vouches for a bundle: the log's own key, by a signed note over the tag manifest (C2SP signed-note).

Its first line is no origin, so it can't be taken for a checkpoint, nor a checkpoint for it.
"""

import base64
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gatekeeper.evidence.bag import TAG_MANIFEST
from gatekeeper.journal.note import verification_key

FIRST_LINE: Final = "gatekeeper-evidence/v1"
SSH_NAMESPACE: Final = "gatekeeper-evidence"
"""The SSHSIG namespace of a person's signature over the tag manifest."""


def sign_bundle(folder: Path, digest: str, origin: str, key: Ed25519PrivateKey) -> None:
    """Write the note beside the tag manifest, whose SHA-256 hex is `digest`."""
    text = f"{FIRST_LINE}\n{digest}\n"
    signature = base64.b64encode(verification_key(origin, key).id + key.sign(text.encode())).decode()
    (folder / f"{TAG_MANIFEST}.note").write_text(f"{text}\n— {origin} {signature}\n", encoding="utf-8")
