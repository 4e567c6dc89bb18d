"""What a disk may hold after the power is lost, from the system calls of a program that strace has written down.

A write is on the disk once its file was synced; before that it may be there, whole or in some of its sectors, or not. A
name is there once its folder was synced; before that, names change in order, up to some point. Nothing else is assumed
of the file system.
"""

import random
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
TRACE = ("-ff", "-ttt", "-y", "-xx", "-s", "1000000", "-e")
CALLS = "trace=openat,pwrite64,write,fsync,fdatasync,rename,unlink,ftruncate"

_LINE = re.compile(r"(?P<time>[0-9.]+) (?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_FILE = re.compile(r"(?P<fd>\d+)<(?P<path>[^>]*)>")


@dataclass
class Call:
    """One system call that changed something, or an answer that the program gave (`path` empty)."""

    name: str
    path: str = ""
    data: bytes = b""
    number: int = 0
    other: str = ""


def read_calls(folder: Path, prefix: Path) -> list[Call]:
    """Read what strace wrote of a program's threads, in order: calls on files in `folder`, and its output."""
    lines = [line for path in prefix.parent.glob(f"{prefix.name}.*") for line in path.read_text().splitlines()]
    found: list[Call] = []
    places: dict[str, int | None] = {}
    for line in sorted(lines):
        match = _LINE.fullmatch(re.sub(r"(= \d+)<.*>$", r"\1", line))
        if match is not None:
            found += _calls(match["call"], match["arguments"], match["result"], places, str(folder))
    return found


def _calls(  # noqa: C901 - one for each system call
    name: str, arguments: str, result: str, places: dict[str, int | None], folder: str
) -> Iterator[Call]:
    strings = [_text(one) for one in _STRING.findall(arguments)]
    file = _FILE.match(arguments)
    path = _text(file["path"]).decode() if file is not None else ""
    if name in {"openat", "rename", "unlink"}:
        path = strings[0].decode()
        if not path.startswith(folder) or path.endswith("-shm"):
            return
        if name == "openat":
            places[result] = None if "O_APPEND" in arguments else 0
            yield Call("create" if "O_CREAT" in arguments else "look", path)
            if "O_TRUNC" in arguments:
                yield Call("ftruncate", path)
        else:
            yield Call(name, path, other=strings[1].decode() if name == "rename" else "")
    elif file is not None and file["fd"] == "1":
        yield Call("say", data=strings[0])
    elif path.startswith(folder) and not path.endswith("-shm") and "(deleted)" not in path:
        numbers = re.findall(r", (\d+)", arguments)
        match name:
            case "pwrite64":
                yield Call("write", path, strings[0], int(numbers[-1]))
            case "write":
                place = places.get(file["fd"], 0) if file is not None else 0
                yield Call("write", path, strings[0], -1 if place is None else place)
                if place is not None and file is not None:
                    places[file["fd"]] = place + len(strings[0])
            case "ftruncate":
                yield Call("ftruncate", path, number=int(numbers[-1]))
            case _:
                yield Call("sync", path)


def _text(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", ""))


@dataclass
class Inode:
    """A file: what is on the disk of it, what the program sees, and the changes in between."""

    durable: bytearray = field(default_factory=bytearray)
    size: int = 0
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def write(self, place: int, data: bytes) -> None:
        place = self.size if place < 0 else place
        self.pending.append((place, data))
        self.size = max(self.size, place + len(data))

    def cut(self, size: int) -> None:
        self.pending.append((size, None))
        self.size = size

    def sync(self) -> None:
        for place, data in self.pending:
            _apply(self.durable, place, data)
        self.pending.clear()

    def after_loss(self, chance: random.Random) -> bytes:
        content = bytearray(self.durable)
        for place, data in self.pending:
            if chance.random() < 0.5:
                continue
            if data is None or len(data) <= SECTOR or chance.random() < 0.6:
                _apply(content, place, data)
                continue
            for at in range(0, len(data), SECTOR):
                if chance.random() < 0.5:
                    _apply(content, place + at, data[at : at + SECTOR])
        return bytes(content)


def _apply(content: bytearray, place: int, data: bytes | None) -> None:
    if data is None:
        del content[place:]
        content.extend(bytes(place - len(content)))
    else:
        content.extend(bytes(max(0, place - len(content))))
        content[place : place + len(data)] = data


class Disk:
    """Takes calls one after the other."""

    def __init__(self) -> None:
        self.seen: dict[str, Inode] = {}
        self.durable: dict[str, Inode] = {}
        self.names: defaultdict[str, list[tuple[str, str, Inode | None]]] = defaultdict(list)
        self.said = b""

    def take(self, call: Call) -> None:
        inode = self.seen.get(call.path)
        folder = call.path.rpartition("/")[0]
        match call.name:
            case "say":
                self.said += call.data
            case "create" if inode is None:
                self.seen[call.path] = made = Inode()
                self.names[folder].append((call.path, "", made))
            case "rename" if inode is not None:
                self.seen[call.other] = self.seen.pop(call.path)
                self.names[folder].append((call.other, call.path, inode))
            case "unlink" if inode is not None:
                del self.seen[call.path]
                self.names[folder].append(("", call.path, None))
            case "write" if inode is not None:
                inode.write(call.number, call.data)
            case "ftruncate" if inode is not None:
                inode.cut(call.number)
            case "sync" if inode is not None:
                inode.sync()
            case "sync":
                _rename(self.durable, self.names.pop(call.path, []))
            case _:
                pass

    def lose_power(self, old: Path, new: Path, chance: random.Random) -> None:
        """Write to `new` what may be found of `old` afterwards."""
        names = dict(self.durable)
        for changes in self.names.values():
            _rename(names, changes[: chance.randrange(len(changes) + 1)])
        for path, inode in names.items():
            place = new / Path(path).relative_to(old)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(inode.after_loss(chance))


def _rename(names: dict[str, Inode], changes: list[tuple[str, str, Inode | None]]) -> None:
    for new, old, inode in changes:
        names.pop(old, None)
        if inode is not None:
            names[new] = inode
