"""Evidence bundles of the story, for tests."""

from pathlib import Path

from journals import ORIGIN
from recorded import BEGINNING

from gatekeeper.config import MaskingConfig
from gatekeeper.evidence import Order, Sources, build_bundle
from gatekeeper.evidence.signing import sign_bundle
from gatekeeper.exchange import Instant
from gatekeeper.journal import Reader
from gatekeeper.journal.keys import load_signing_key
from gatekeeper.journal.note import verification_key
from gatekeeper.masking import Masker

ORDER = Order(
    start=Instant(BEGINNING),
    stop=Instant(BEGINNING + 1_000_000),
    organisation="Example Ltd",
    nonce="an auditor's words",
    outside=(("egress counter", "api.example.com", 5),),
)


def build(story: Path, out: Path, order: Order = ORDER) -> Path:
    vkey = (story / "journal" / "journal.vkey").read_text()
    key = load_signing_key(story / "keys" / "journal.key")
    with Reader(story / "journal", story / "keys") as reader:
        sources = Sources(
            reader=reader,
            masker=Masker(MaskingConfig(), b"\0" * 32),
            vkey=vkey,
            bundle_vkey=verification_key(ORIGIN, key).text(),
            key_from_outside=True,
            anchors=(story / "journal" / "anchors.log").read_bytes(),
            owners={"bot": ("carol@example.com",)},
            timestamps={},
        )
        digest = build_bundle(order, sources, out, lambda _done, _all: None)
    sign_bundle(out, digest, ORIGIN, key)
    return out
