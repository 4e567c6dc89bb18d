#!/usr/bin/env python3
"""Checks a Gatekeeper journal with Python's standard library and openssl alone. It is short, so that you can read it.

python3 -I verify-journal.py FOLDER VKEY     (VKEY: the line in journal.vkey, from a place that you trust)
"""

import base64, hashlib, json, pathlib, sqlite3, subprocess, sys, tempfile  # noqa: E401

NOT_CHECKED = """not checked here: whether entries follow each other as they may, reviewers' signatures (ssh-keygen -Y verify),
stored tiles, what bodies say, and checkpoints from outside: compare those of your own with the roots above"""


def demand(holds, otherwise):  # not `assert`, which python3 -O leaves out
    if not holds:
        sys.exit(f"NOT VERIFIED: {otherwise}")


def sha256(data):
    return hashlib.sha256(data).digest()


def grow(peaks, node, height=0):  # RFC 6962: two neighbours of one height make their parent
    while peaks and peaks[-1][0] == height:
        node, height = sha256(b"\1" + peaks.pop()[1] + node), height + 1
    peaks.append((height, node))


def root(peaks):
    node = peaks[-1][1]
    for _, peak in reversed(peaks[:-1]):
        node = sha256(b"\1" + peak + node)
    return node


def check_note(note, size, tree, vkey, folder):  # a C2SP checkpoint: origin, size, root, and an Ed25519 signature
    origin, _, key = vkey.split("+", 2)
    text, _, line = note.partition("\n\n")
    demand(
        text.split("\n") == [origin, str(size), base64.b64encode(tree).decode()],
        f"checkpoint {size} is of another tree",
    )
    raw, by = base64.b64decode(key), line.rstrip("\n").split(" ")
    signature = base64.b64decode(by[2])
    demand(
        by[:2] == ["—", origin] and signature[:4] == sha256(origin.encode() + b"\n" + raw)[:4],
        "another key's signature",
    )
    der = bytes.fromhex("302a300506032b6570032100") + raw[1:]  # RFC 8410: an Ed25519 public key
    for name, content in {"key": der, "text": f"{text}\n".encode(), "signature": signature[4:]}.items():
        (folder / name).write_bytes(content)
    command = "openssl pkeyutl -verify -pubin -keyform DER -inkey key -rawin -in text -sigfile signature".split()
    demand(
        not subprocess.run(command, cwd=folder, capture_output=True).returncode, f"the signature of checkpoint {size}"
    )


def check_segment(path, peaks, size, time, vkey, scratch):
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    meta = dict(database.execute("SELECT key, value FROM meta"))
    start = int(meta["start"])
    if size is None:  # the oldest segment that is here: its tree begins with what was carried over
        for level, row in reversed([*enumerate(json.loads(meta.get("carry", "[]")))]):
            for at in range(0, len(row), 64):
                grow(peaks, bytes.fromhex(row[at : at + 64]), 8 * level)
        size, vkey = start, vkey if start == 0 else meta["vkey"]
    demand((start, meta["vkey"]) == (size, vkey), f"{path.name} begins elsewhere, or under another key")
    notes, bodies = (
        dict(database.execute("SELECT size, note FROM checkpoint")),
        database.execute("SELECT count(*) FROM body"),
    )
    stored = bodies.fetchone()[0]
    for seq, leaf in database.execute("SELECT seq, leaf FROM entry ORDER BY seq"):
        entry = json.loads(leaf)
        canonical = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        demand(
            canonical == leaf and entry["seq"] == seq == size and entry["time"] >= time, f"entry {size} is out of order"
        )
        parts = (entry["data"].get("body") or {}).get("parts", [])
        found = [
            sha256(data).hex() for (data,) in database.execute("SELECT data FROM body WHERE seq=? ORDER BY part", [seq])
        ]
        demand(found == parts, f"the body of entry {seq}")
        stored, size, time = stored - len(found), size + 1, entry["time"]
        grow(peaks, sha256(b"\0" + leaf))
        if note := notes.pop(size, None):
            check_note(note, size, root(peaks), vkey, scratch)
        vkey = entry["data"].get("vkey", vkey) if entry["type"] == "seal" else vkey
    demand(
        not notes and not stored and note, f"{path.name} ends without a checkpoint, or holds more than its entries name"
    )
    print(f"{path.name}: entries {start} to {size - 1}, root {root(peaks).hex()}")
    return size, time, vkey


def main(folder, vkey):
    peaks, size, time, given = [], None, 0, vkey
    with tempfile.TemporaryDirectory() as scratch:
        paths = [*sorted(folder.glob("journal-????????????.db")), *folder.glob("journal.db")]
        for path in paths:
            size, time, vkey = check_segment(path, peaks, size, time, vkey, pathlib.Path(scratch))
    print(
        f"{'verified' if paths else 'no journal'}: sequence, time, hashes, bodies, tree, checkpoints, key {given[:60]}…\n{NOT_CHECKED}"
    )


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2].strip())
