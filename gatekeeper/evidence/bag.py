"""A BagIt folder (RFC 8493): payload under `data/`, and manifests that any `sha256sum -c` checks."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

MANIFEST: Final = "manifest-sha256.txt"
TAG_MANIFEST: Final = "tagmanifest-sha256.txt"
DECLARATION: Final = "bagit.txt"
INFO: Final = "bag-info.txt"
PAYLOAD: Final = "data"
SIGNATURES: Final = (f"{TAG_MANIFEST}.note", f"{TAG_MANIFEST}.sig", f"{TAG_MANIFEST}.tsr")
"""What vouches for the tag manifest, and so can't stand in it."""

_READ: Final = 1 << 20


def seal_bag(folder: Path, info: Mapping[str, str]) -> str:
    """Write manifests over all that stands in `folder`; gives the SHA-256 hex of the tag manifest."""
    payload = sorted(path for path in (folder / PAYLOAD).rglob("*") if path.is_file())
    octets = sum(path.stat().st_size for path in payload)
    _write(folder / DECLARATION, "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
    lines = {**info, "Payload-Oxum": f"{octets}.{len(payload)}"}
    _write(folder / INFO, "".join(f"{name}: {value}\n" for name, value in lines.items()))
    _write(folder / MANIFEST, _manifest(folder, payload))
    tags = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in {TAG_MANIFEST, *SIGNATURES})
    _write(folder / TAG_MANIFEST, _manifest(folder, tags))
    return file_hash(folder / TAG_MANIFEST)


def bag_faults(folder: Path) -> list[str]:
    """Say what in a bag is not as its manifests have it: changed, missing or added; empty where all is."""
    faults: list[str] = []
    try:
        payload = _read_manifest(folder / MANIFEST)
        tags = _read_manifest(folder / TAG_MANIFEST)
    except (OSError, ValueError) as error:
        return [f"{folder}: {error}"]
    for name, expected in (*tags.items(), *payload.items()):
        path = folder / name
        if not path.is_file() or path.is_symlink():
            faults.append(f"{name}: is missing")
        elif file_hash(path) != expected:
            faults.append(f"{name}: was changed")
    known = {*tags, *payload, TAG_MANIFEST, *SIGNATURES}
    required = (DECLARATION, INFO, MANIFEST)
    faults += [f"{TAG_MANIFEST}: does not list {name}" for name in required if name not in tags]
    present = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    faults += [
        f"{name}: was added" for path in sorted(present) if (name := path.relative_to(folder).as_posix()) not in known
    ]
    return faults


def file_hash(path: Path) -> str:
    """Give the SHA-256 hex of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_READ):
            digest.update(piece)
    return digest.hexdigest()


def _manifest(folder: Path, paths: Iterable[Path]) -> str:
    return "".join(f"{file_hash(path)}  {path.relative_to(folder).as_posix()}\n" for path in paths)


def _read_manifest(path: Path) -> dict[str, str]:
    """Read a manifest; raises ValueError for a line that is none, or a name that leads out of the bag."""
    listed: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        digest, gap, name = line.partition("  ")
        if not gap or len(digest) != 2 * hashlib.sha256().digest_size or name in listed:
            msg = f"{path.name}: a line is not of the form HASH  NAME, or names a file twice"
            raise ValueError(msg)
        if name.startswith("/") or ".." in Path(name).parts:
            msg = f"{path.name}: names a file outside of the bag"
            raise ValueError(msg)
        listed[name] = digest
    return listed


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
