"""The chain as a whole also loads in mitmproxy's own tools: `mitmdump -s addons/chain.py`."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import addons.chain
from gatekeeper.config import parse_config
from gatekeeper.exchange import now
from gatekeeper.gateway.first_run import prepare
from gatekeeper.journal import Reader, RefusedData, verify_journal

MITMDUMP = Path(sys.executable).with_name("mitmdump")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def connect(port: int) -> bytes:
    deadline = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n")
                return connection.recv(4096)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_mitmdump_runs_the_chain_and_closes_the_journal(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[[rules]]\nname = "all"\nhosts = ["api.example.com"]\naction = "allow"\n')
    loaded = parse_config(config.read_text(), config)
    prepare(loaded, now())
    port = free_port()
    tool = subprocess.Popen(
        [
            *(MITMDUMP, "-q", "--listen-host", "127.0.0.1", "-p", str(port)),
            *("--set", f"confdir={tmp_path / 'mitmproxy'}", "-s", addons.chain.__file__),
        ],
        env={**os.environ, "GATEKEEPER_CONFIG": str(config)},
    )
    try:
        assert connect(port).startswith(b"HTTP/1.1 407 ")
    finally:
        tool.send_signal(signal.SIGINT)
        tool.wait(30)
    assert verify_journal(loaded.journal.folder).ok
    with Reader(loaded.journal.folder, None) as reader:
        entries = list(reader.entries(0, reader.size))
    assert [entry.kind for entry in entries] == ["open", "refused", "close"]
    assert isinstance(entries[1].data, RefusedData)
    assert entries[1].data.reason == "no-credential"
