"""A gateway in a process of its own, as its operators see it: anchors, a full disk, a dead journal, metrics."""

import json
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from authority import Endpoint, TimestampAuthority, serving
from e2e.stage import Installation, config, wait_for
from harness import Authority, Upstream, read_answer
from journals import recorder_of

from gatekeeper.journal import ReadData, RefusedData
from gatekeeper.journal.anchors import split_anchors
from gatekeeper.journal.note import VerificationKey, read_checkpoint


@pytest.fixture
def start(tmp_path: Path, authority: Authority, upstream: Upstream) -> Iterator[Callable[[str], Installation]]:
    """Start a gateway with more of a configuration."""
    own = Installation(tmp_path / "own")

    def start(more: str = "") -> Installation:
        own.make_reviewer()
        own.configure(config(authority.certificate, upstream.port, more=more))
        own.start()
        return own

    yield start
    own.kill()


def call(running: Installation, upstream: Upstream, path: str = "/x") -> bytes:
    with running.tunnel("localhost", upstream.port) as tunnel:
        tunnel.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost:{upstream.port}\r\n\r\n".encode())
        return read_answer(tunnel)


def health(running: Installation, expected: int = 0) -> dict[str, object]:
    found: dict[str, object] = json.loads(running.command("status", "--json", expected=expected))
    return found


class TestAnchors:
    def test_each_place_gets_the_checkpoints_and_the_stamps_verify(
        self, start: Callable[[str], Installation], upstream: Upstream, tmp_path: Path
    ) -> None:
        tsa = TimestampAuthority.make(tmp_path / "tsa")
        with ExitStack() as stack:
            syslog = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            syslog.bind(("127.0.0.1", 0))
            http = stack.enter_context(serving(Endpoint()))
            stamping = stack.enter_context(serving(Endpoint(answer=tsa.reply)))
            running = start(
                f"""
                [[journal.anchors]]
                file = "elsewhere/anchors"
                [[journal.anchors]]
                syslog = "udp://127.0.0.1:{syslog.getsockname()[1]}"
                [[journal.anchors]]
                command = ["sh", "-c", "cat >> {tmp_path}/commanded; echo >> {tmp_path}/commanded"]
                [[journal.anchors]]
                http = "{http.url}"
                headers = {{ Authorization = "Bearer of-a-witness" }}
                [[journal.anchors]]
                name = "tsa"
                rfc3161 = "{stamping.url}"
                roots = "{tsa.roots}"
                """
            )
            said = running.command("journal", "checkpoint", "--push", expected=1)
            assert "file: the file can't be written: No such file or directory" in said or "gatekeeper.local" in said
            (running.folder / "elsewhere").mkdir()
            assert call(running, upstream).startswith(b"HTTP/1.1 200")
            note = wait_for(lambda: self.pushed(running), "all anchors")
            assert running.stop() == 0
            key = VerificationKey.parse((running.data / "journal" / "journal.vkey").read_text())
            own = split_anchors((running.data / "journal" / "anchors.log").read_bytes())[0]
            for place in (running.folder / "elsewhere" / "anchors", tmp_path / "commanded"):
                notes = split_anchors(place.read_bytes())[0]
                assert note in notes
                assert all(read_checkpoint(one, key) for one in notes)
                assert notes[-1] == own[-1], "what was recorded last is anchored when the gateway stops"
            assert http.received[-1].decode() == own[-1]
            assert http.headers[-1]["authorization"] == "Bearer of-a-witness"
            assert "of-a-witness" not in running.log
        verdicts = json.loads(running.command("journal", "timestamps", "--json"))
        assert [one["problem"] for one in verdicts] == [None] * len(verdicts)
        assert {int(note.split("\n")[1])} <= {one["size"] for one in verdicts}
        running.command("journal", "verify", "--anchors", "elsewhere/anchors")

    def pushed(self, running: Installation) -> str | None:
        """Push a checkpoint; gives its note where all places took it."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(running.folder / "run" / "gatekeeper.sock"))) as client:
            answer = client.post("http://gatekeeper/v1/journal/checkpoint", timeout=30).json()
        well = all(one["problem"] is None and one["waiting"] == 0 for one in answer["anchors"])
        note: str = answer["note"]
        return note if well else None

    def test_what_cant_be_reached_is_shown_and_holds_no_call_up(
        self, start: Callable[[str], Installation], upstream: Upstream
    ) -> None:
        running = start('[[journal.anchors]]\nhttp = "http://127.0.0.1:1/"\nname = "witness"\n')
        assert call(running, upstream).startswith(b"HTTP/1.1 200")
        found = wait_for(lambda: self.failing(running), "the failure")
        assert (found["status"], found["journal"]) == ("ok", "ok")
        assert "anchor witness: the endpoint can't be reached" in running.log
        assert running.stop() == 0

    def failing(self, running: Installation) -> dict[str, object] | None:
        found = health(running)
        anchors = found["anchors"]
        assert isinstance(anchors, dict)
        return found if anchors["witness"].startswith("failing, the endpoint can't be reached") else None


def test_below_the_watermark_no_call_begins_and_that_is_said_everywhere(
    start: Callable[[str], Installation], upstream: Upstream
) -> None:
    upstream.reset()
    running = start('[journal]\nmin_free = "1000000GiB"\n')
    answer = call(running, upstream)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"disk-full" in answer
    assert b"nearly full" in answer
    assert upstream.connections == 0
    assert health(running, expected=1)["disk"] == "below journal.min_free: no new call begins"
    refused = [entry.data for entry in running.entries() if isinstance(entry.data, RefusedData)]
    assert [one.reason for one in refused] == ["disk-full"]
    assert running.stop() == 0
    running.command("journal", "verify")


def assert_it_is_said(running: Installation, why: str) -> None:
    found = health(running, expected=1)
    assert found["status"] == "failing"
    assert why in str(found["journal"])
    assert "nothing passes until then" in running.log


def test_where_the_writer_fails_nothing_passes_and_that_is_said_everywhere(
    start: Callable[[str], Installation], upstream: Upstream
) -> None:
    running = start()
    assert running.process is not None
    # Writes beyond 64 KiB of a file fail from now on (EFBIG): the journal's WAL comes there, the log does not.
    subprocess.run(["prlimit", f"--pid={recorder_of(running.process.pid)}", f"--fsize={1 << 16}"], check=True)
    answers = [call(running, upstream)]
    while answers[-1].startswith(b"HTTP/1.1 200"):
        answers.append(call(running, upstream))
        assert len(answers) < 100
    upstream.reset()
    answers = [answers[-1], call(running, upstream, "/y"), call(running, upstream, "/z")]
    for answer in answers:
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"journal-down" in answer
        assert b"can't record" in answer
    assert upstream.connections == 0
    assert_it_is_said(running, "the journal can't be written")


def test_where_the_recorder_is_killed_nothing_passes_and_that_is_said_everywhere(
    start: Callable[[str], Installation], upstream: Upstream
) -> None:
    running = start()
    assert running.process is not None
    assert call(running, upstream).startswith(b"HTTP/1.1 200")
    upstream.reset()
    os.kill(recorder_of(running.process.pid), signal.SIGKILL)
    answer = call(running, upstream)
    assert answer.startswith(b"HTTP/1.1 503")
    assert b"journal-down" in answer
    assert upstream.connections == 0
    assert_it_is_said(running, "recorder has ended")


def test_metrics_count_and_name_nobody(start: Callable[[str], Installation], upstream: Upstream) -> None:
    running = start()
    assert call(running, upstream, "/secret-path").startswith(b"HTTP/1.1 200")
    running.connect("nowhere.example", 443, "CONNECT nowhere.example:443 HTTP/1.1\r\nHost: nowhere.example:443\r\n")[
        0
    ].close()
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(running.folder / "run" / "gatekeeper.sock"))) as client:
        text = client.get("http://gatekeeper/metrics").text
    for line in (
        'gatekeeper_requests_total{action="allow"} 1.0',
        'gatekeeper_responses_total{by="upstream",status="2xx"} 1.0',
        'gatekeeper_refused_total{reason="no-credential"} 1.0',
        "gatekeeper_up 1.0",
        "gatekeeper_held_calls 0.0",
        "gatekeeper_journal_commit_seconds_count ",
    ):
        assert line in text, text
    for nobody in ("test-bot", "localhost", "secret-path", "nowhere.example", "127.0.0.1"):
        assert nobody not in text


def test_who_reads_beside_a_running_gateway_is_recorded_by_it(start: Callable[[str], Installation]) -> None:
    running = start()
    running.command("journal", "list", "--limit", "1")
    running.command("journal", "search", "ada@example.com", expected=1)
    reads = [entry.data for entry in running.entries() if isinstance(entry.data, ReadData)]
    assert [(one.command, one.by) for one in reads] == [
        ("journal list", pwd.getpwuid(os.getuid()).pw_name),
        ("journal search <EMAIL_ADDRESS>", pwd.getpwuid(os.getuid()).pw_name),
    ]
    assert running.stop() == 0
    running.command("journal", "verify")
