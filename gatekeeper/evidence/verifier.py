"""Check an evidence bundle with nothing but Python's standard library, openssl and ssh-keygen.

Run it where it lies: `python3 -I data/verify/verify.py`, or name the bundle's folder. It needs no Gatekeeper and no
network. Exit 0: all that it checks holds; 1: something does not. Formats: RFC 6962, C2SP signed-note.
"""

import base64
import hashlib
import json
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from typing import Any

BAG = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
DATA = BAG / "data"
SPKI = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: what stands before an Ed25519 key in a PEM file
NOT_CHECKED = """\
not checked here: that keys/journal.vkey is the key of the log that you mean (compare it with one you were given);
  that the clear bodies of samples are what was encrypted (their sizes are); what an exchange may do after what
  (`gatekeeper journal verify` checks that); the tables under csv/, beyond the counts that report.json has."""
faults: list[str] = []


def check(holds: object, what: str) -> bool:
    """Note a fault unless it holds."""
    if not holds:
        faults.append(what)
        print(f"FAILED  {what}")
    return bool(holds)


def sha256(data: bytes) -> bytes:
    """Hash."""
    return hashlib.sha256(data).digest()


def canonical(value: object) -> bytes:
    """RFC 8785 for what a log holds: no floats, ASCII keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


# ── Files: BagIt manifests (RFC 8493) ────────────────────────────────────────────────────────────────────────────
def check_files() -> None:
    """Every file is listed, is there, and has its hash; no other file is there."""
    listed: dict[str, str] = {}
    for name in ("tagmanifest-sha256.txt", "manifest-sha256.txt"):
        for line in (BAG / name).read_text(encoding="utf-8").splitlines():
            digest, _, path = line.partition("  ")
            listed[path] = digest
    for path, digest in listed.items():
        file = BAG / path
        if check(file.is_file() and not file.is_symlink(), f"{path} is missing"):
            check(file_hash(file) == digest, f"{path} was changed")
    beside = {"tagmanifest-sha256.txt"} | {f"tagmanifest-sha256.txt.{kind}" for kind in ("note", "sig", "tsr")}
    for file in BAG.rglob("*"):
        path = file.relative_to(BAG).as_posix()
        check(file.is_dir() or path in listed or path in beside, f"{path} was added")


def file_hash(path: pathlib.Path) -> str:
    """Hash a file piece by piece: the log may be larger than the memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


# ── Signed notes (C2SP signed-note): Ed25519, by openssl ─────────────────────────────────────────────────────────
def read_vkey(text: str) -> tuple[str, bytes, bytes]:
    """Give origin, key id and key of `ORIGIN+HASH+BASE64`."""
    origin, key_hash, encoded = text.strip().split("+", 2)
    key = base64.b64decode(encoded)[1:]
    named = sha256(origin.encode() + b"\n\x01" + key)[:4]
    check(named.hex() == key_hash, f"the key of {origin} has another id than it says")
    return origin, named, key


def signed(note: str, vkey: str, what: str) -> str:
    """Check a note's signature; gives its text."""
    origin, key_id, key = read_vkey(vkey)
    text, _, signatures = note.partition("\n\n")
    found = re.findall(r"^— (\S+) (\S+)$", signatures, re.MULTILINE)
    ours = [base64.b64decode(data) for name, data in found if name == origin]
    ours = [data[4:] for data in ours if data[:4] == key_id]
    good = bool(ours) and openssl_verifies(key, (text + "\n").encode(), ours[0])
    check(good, f"{what}: the signature is not by {origin}")
    return text + "\n"


def openssl_verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """Ask openssl for an Ed25519 signature."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        pem = base64.encodebytes(SPKI + key).decode()
        (place / "key").write_text(f"-----BEGIN PUBLIC KEY-----\n{pem}-----END PUBLIC KEY-----\n")
        (place / "message").write_bytes(message)
        (place / "signature").write_bytes(signature)
        command = [
            "openssl",
            "pkeyutl",
            "-verify",
            "-pubin",
            "-inkey",
            "key",
            "-rawin",
            "-in",
            "message",
            "-sigfile",
            "signature",
        ]
        return subprocess.run(command, cwd=place, capture_output=True, check=False).returncode == 0


# ── The tree (RFC 6962 §2.1), as a row of peaks from left to right ───────────────────────────────────────────────
def grow(peaks: list[tuple[int, bytes]], leaf: bytes) -> None:
    """Add a leaf: equal heights join, as in counting by two."""
    height, node = 0, sha256(b"\x00" + leaf)
    while peaks and peaks[-1][0] == height:
        node = sha256(b"\x01" + peaks.pop()[1] + node)
        height += 1
    peaks.append((height, node))


def root_of(peaks: list[tuple[int, bytes]]) -> bytes:
    """Hash the peaks, right to left."""
    if not peaks:
        return sha256(b"")
    root = peaks[-1][1]
    for _, peak in reversed(peaks[:-1]):
        root = sha256(b"\x01" + peak + root)
    return root


def included(leaf: bytes, seq: int, size: int, path: list[bytes], root: bytes) -> bool:
    """Check an inclusion proof (RFC 9162 §2.1.3.2)."""
    node, last, hashed = seq, size - 1, sha256(b"\x00" + leaf)
    for sibling in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            hashed = sha256(b"\x01" + sibling + hashed)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            hashed = sha256(b"\x01" + hashed + sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and hashed == root


# ── The log ──────────────────────────────────────────────────────────────────────────────────────────────────────
def checkpoint(name: str, vkey: str) -> tuple[int, bytes]:
    """Read a signed checkpoint: size and root."""
    text = signed((DATA / "journal" / name).read_text(encoding="utf-8"), vkey, f"journal/{name}")
    _, size, root = text.rstrip("\n").split("\n")
    return int(size), base64.b64decode(root)


def check_log(report: dict[str, Any]) -> tuple[int, bytes]:
    """Walk over every entry between the checkpoints; gives size and root at the end."""
    log = sqlite3.connect(f"{(DATA / 'journal' / 'log.db').as_uri()}?mode=ro&immutable=1", uri=True)
    vkey = (DATA / "keys" / "journal.vkey").read_text(encoding="utf-8")
    peaks = [(height, bytes(node)) for height, node in log.execute("SELECT height, hash FROM start_peak ORDER BY n")]
    expected = sum(1 << height for height, _ in peaks)
    if (DATA / "journal" / "start.note").exists():
        size, root = checkpoint("start.note", vkey)
        check((size, root) == (expected, root_of(peaks)), "the start checkpoint is of another tree than the peaks")
    else:
        check(expected == 0, "there is no start checkpoint, and the log does not begin at 0")
    last, counts = 0, {"calls": 0, "refused": 0, "denied": 0, "held": 0}
    for seq, raw in log.execute("SELECT seq, leaf FROM entry ORDER BY seq"):
        leaf = bytes(raw)
        entry = json.loads(leaf)
        check(canonical(entry) == leaf, f"entry {seq} is not canonical")
        check(seq == entry["seq"] == expected, f"entry {expected} is missing, or {seq} has another number")
        check(entry["time"] >= last, f"entry {seq} is older than the one before it")
        grow(peaks, leaf)
        expected, last = seq + 1, entry["time"]
        check_parts(log, seq, entry)
        count(counts, entry, report)
        if entry["type"] == "seal" and "vkey" in entry["data"]:
            vkey = entry["data"]["vkey"]  # signed by the old key, as is all before it
    size, root = checkpoint("end.note", vkey)
    check((size, root) == (expected, root_of(peaks)), "the end checkpoint is of another tree than these entries")
    figures = report["surveyed"]
    check(counts["calls"] == figures["traffic"]["calls"], "report.json counts other calls than the log has")
    check(counts["refused"] == figures["refusals"]["total"], "report.json counts other refusals than the log has")
    check(counts["held"] == figures["holds"]["holds"], "report.json counts other holds than the log has")
    print(f"log     {expected - report['scope']['start_size']} entries, root {root.hex()} at size {size}")
    return size, root


def check_parts(log: sqlite3.Connection, seq: int, entry: dict[str, Any]) -> None:
    """Check that every stored part is the one that its entry names."""
    body = entry["data"].get("body") if isinstance(entry["data"], dict) else None
    stored = [
        hashlib.sha256(data).hexdigest()
        for (data,) in log.execute("SELECT data FROM body WHERE seq = ? ORDER BY part", [seq])
    ]
    check(stored == (body["parts"] if body else []), f"the body of entry {seq} is not the one that it names")


def count(counts: dict[str, int], entry: dict[str, Any], report: dict[str, Any]) -> None:
    """Count what report.json counts, within its period."""
    if not report["scope"]["start_us"] <= entry["time"] < report["scope"]["end_us"]:
        return
    counts["calls"] += entry["type"] == "request"
    counts["held"] += entry["type"] == "hold"
    counts["refused"] += entry["data"]["count"] if entry["type"] == "refused" else 0


# ── Samples and decisions ────────────────────────────────────────────────────────────────────────────────────────
def check_samples(report: dict[str, Any], size: int, root: bytes) -> None:
    """Check that the seed draws these samples, that each is in the log, and that its decisions are signed."""
    scope = report["scope"]
    seed = sha256(scope["nonce"].encode() + root).hex()
    check(seed == scope["seed"], "the seed is not SHA-256(nonce ‖ end root)")
    total = 0
    for stratum in report["samples"]:
        ranks = [sha256(f"{seed}:{seq}".encode()).hex() for seq in stratum["seqs"]]
        check(len(ranks) == stratum["sampled"], f"{stratum['stratum']}: other samples than it counts")
        for seq in stratum["seqs"]:
            folder = DATA / "samples" / stratum["stratum"] / f"{seq:012}"
            for record in json.loads((folder / "entries.json").read_text(encoding="utf-8")):
                leaf = record["leaf"].encode()
                path = [bytes.fromhex(node) for node in record["proof"]]
                check(
                    included(leaf, record["seq"], size, path, root),
                    f"sample {seq}: entry {record['seq']} is not in the log",
                )
                check_clear(folder, record["seq"], json.loads(leaf))
            for statement in sorted(folder.glob("*.statement")):
                check_signature(statement)
            total += 1
    print(f"samples {total}, each with a proof that it is in the log")


def check_clear(folder: pathlib.Path, seq: int, entry: dict[str, Any]) -> None:
    """Check that a body in clear has the size that its entry names."""
    clear, body = folder / f"{seq}.body", entry["data"].get("body")
    if clear.exists():
        check(
            body is not None and clear.stat().st_size == body["size"],
            f"sample body {seq} has another size than its entry names",
        )


def check_signature(statement: pathlib.Path) -> None:
    """Ask ssh-keygen whether a decision is the reviewer's."""
    if shutil.which("ssh-keygen") is None:
        print(f"skipped {statement.name}: ssh-keygen is not here, so its signature was not checked")
        return
    said = json.loads(statement.read_bytes())
    when, signers, signature = (statement.with_suffix(suffix) for suffix in (".time", ".signers", ".sig"))
    options = ["-n", "gatekeeper-approval", f"-Overify-time={when.read_text().strip()}", "-s", str(signature)]
    command = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", said["reviewer"], *options]
    done = subprocess.run(command, input=statement.read_bytes(), capture_output=True, check=False)
    check(done.returncode == 0, f"{statement.name}: the signature is not by {said['reviewer']}")


def check_seal() -> None:
    """Check that the bundle is signed by the log's own key."""
    note = BAG / "tagmanifest-sha256.txt.note"
    if not note.exists():
        print("note    the bundle is not signed by the log's key")
        return
    vkey = (DATA / "keys" / "bundle.vkey").read_text(encoding="utf-8")
    digest = hashlib.sha256((BAG / "tagmanifest-sha256.txt").read_bytes()).hexdigest()
    text = signed(note.read_text(encoding="utf-8"), vkey, "the bundle's note")
    if check(text == f"gatekeeper-evidence/v1\n{digest}\n", "the bundle's note is over another bundle"):
        print(f"note    signed by {vkey.split('+')[0]}")


def main() -> int:
    """Check all, and say what is not checked."""
    report = json.loads((DATA / "report.json").read_text(encoding="utf-8"))
    check_files()
    check_seal()
    size, root = check_log(report)
    check_samples(report, size, root)
    print(NOT_CHECKED)
    print("NOT VERIFIED" if faults else "VERIFIED")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
