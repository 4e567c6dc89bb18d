"""Where checkpoints go: each sink against the real thing on this machine."""

import asyncio
import datetime as dt
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable
from pathlib import Path

import pytest
from authority import Endpoint, TimestampAuthority, serving

from gatekeeper.journal.anchoring import SinkFailed
from gatekeeper.journal.anchors import split_anchors
from gatekeeper.journal.sinks import CommandSink, FileSink, HttpSink, SyslogSink, read_syslog, syslog_message
from gatekeeper.journal.timestamps import FOLDER, TimestampSink, check_stamp, check_stamps, read_roots

NOTE = (
    "test.example/journal\n1041\nvLzB0A8QvLzB0A8QvLzB0A8QvLzB0A8QvLzB0A8QvLw=\n\n"
    "— test.example/journal Az3grlAz3grlAz3grlAz3grl\n"
)


def run[T](work: Awaitable[T]) -> T:
    async def bounded() -> T:
        return await asyncio.wait_for(work, 30)

    return asyncio.run(bounded())


class TestFile:
    def test_it_has_the_form_of_anchors_log(self, tmp_path: Path) -> None:
        sink = FileSink(tmp_path / "anchors")
        run(sink.send(NOTE))
        run(sink.send(NOTE))
        assert split_anchors((tmp_path / "anchors").read_bytes()) == ([NOTE, NOTE], False)

    def test_one_that_cant_be_written_is_said(self, tmp_path: Path) -> None:
        with pytest.raises(SinkFailed, match="No such file or directory"):
            run(FileSink(tmp_path / "nowhere" / "anchors").send(NOTE))


class TestSyslog:
    def test_a_message_has_the_form_of_rfc_5424(self) -> None:
        at = dt.datetime(2026, 11, 25, 3, 4, 5, 6, dt.UTC)
        message = syslog_message(NOTE, at, "host.example").decode("ascii")
        head = f"<110>1 2026-11-25T03:04:05.000006Z host.example gatekeeper {os.getpid()} checkpoint "
        assert message.startswith(head + '[checkpoint@32473 origin="test.example/journal" size="1041" root="vLzB0A8Q')
        assert read_syslog(f"Nov 25 03:04:05 host {message}\n") == NOTE

    def test_values_are_escaped(self) -> None:
        message = syslog_message(NOTE.replace("test.example", 'a"]\\b'), dt.datetime.now(dt.UTC), "h").decode()
        assert 'origin="a\\"\\]\\\\b/journal"' in message

    @pytest.mark.parametrize(
        "line", ["", "something else", 'x checkpoint@32473 a="b"] "broken', "checkpoint@32473 ] 7"]
    )
    def test_what_is_no_checkpoint_is_none(self, line: str) -> None:
        assert read_syslog(line) is None

    def test_over_udp(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(10)
            run(SyslogSink(f"udp://127.0.0.1:{server.getsockname()[1]}").send(NOTE))
            assert read_syslog(server.recv(4096).decode()) == NOTE

    def test_over_tcp_with_octets_counted(self) -> None:
        async def story() -> bytes:
            received = asyncio.get_running_loop().create_future()

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                received.set_result(await reader.read())
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            await SyslogSink(f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}").send(NOTE)
            server.close()
            return await received

        length, _, message = run(story()).partition(b" ")
        assert len(message) == int(length)
        assert read_syslog(message.decode()) == NOTE

    def test_over_a_unix_socket(self, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
            server.bind(str(tmp_path / "log"))
            server.settimeout(10)
            run(SyslogSink(f"unix://{tmp_path}/log").send(NOTE))
            assert read_syslog(server.recv(4096).decode()) == NOTE

    @pytest.mark.parametrize("address", ["tcp://127.0.0.1:{port}", "unix:///nowhere/log"])
    def test_one_that_cant_be_reached_is_said(self, address: str) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            with pytest.raises(SinkFailed, match="syslog can't be reached"):
                run(SyslogSink(address.format(port=closed.getsockname()[1])).send(NOTE))


class TestCommand:
    def test_it_gets_the_note_and_no_secret(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        program = "import os,sys; open('got','w').write(sys.stdin.read() + repr(dict(os.environ)))"
        run(CommandSink((sys.executable, "-c", program), tmp_path).send(NOTE))
        got = (tmp_path / "got").read_text()
        assert got.startswith(NOTE)
        assert "sk-secret" not in got

    @pytest.mark.parametrize(
        ("command", "said"), [(("false",), "ended with 1"), (("/nowhere/program",), "can't be run: No such file")]
    )
    def test_one_that_fails_is_said(self, tmp_path: Path, command: tuple[str, ...], said: str) -> None:
        with pytest.raises(SinkFailed, match=said):
            run(CommandSink(command, tmp_path).send(NOTE))

    def test_one_that_reads_nothing_has_taken_it(self, tmp_path: Path) -> None:
        run(CommandSink(("true",), tmp_path).send(NOTE * 100_000))


class TestHttp:
    def test_it_posts_the_note_with_its_headers(self) -> None:
        with serving(Endpoint()) as endpoint:
            run(HttpSink(endpoint.url, {"Authorization": lambda: "Bearer x"}).send(NOTE))
        assert endpoint.received == [NOTE.encode()]
        assert endpoint.headers[0]["authorization"] == "Bearer x"
        assert endpoint.headers[0]["content-type"] == "text/plain; charset=utf-8"

    @pytest.mark.parametrize("status", [301, 404, 500])
    def test_what_is_no_2xx_has_not_taken_it(self, status: int) -> None:
        with serving(Endpoint(status=status)) as endpoint, pytest.raises(SinkFailed, match=f"answered {status}"):
            run(HttpSink(endpoint.url, {}).send(NOTE))

    def test_one_that_cant_be_reached_is_said(self) -> None:
        with pytest.raises(SinkFailed, match="can't be reached"):
            run(HttpSink("http://127.0.0.1:1/", {}).send(NOTE))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TimestampAuthority:
    return TimestampAuthority.make(tmp_path_factory.mktemp("tsa"))


class TestTimestamps:
    def stamp(self, authority: TimestampAuthority, folder: Path) -> Path:
        with serving(Endpoint(answer=authority.reply)) as endpoint:
            run(TimestampSink("tsa", endpoint.url, authority.roots, folder).send(NOTE))
        return folder / FOLDER / "000000001041-tsa.tsr"

    def test_a_stamp_is_kept_and_verifies_here_and_with_openssl(
        self, authority: TimestampAuthority, tmp_path: Path
    ) -> None:
        kept = self.stamp(authority, tmp_path)
        time = check_stamp(kept.read_bytes(), NOTE.encode(), read_roots(authority.roots))
        assert abs(time / 1e6 - dt.datetime.now(dt.UTC).timestamp()) < 600
        (tmp_path / "note").write_text(NOTE)
        command = ["openssl", "ts", "-verify", "-data", "note", "-in", str(kept), "-CAfile", str(authority.roots)]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    def test_a_stamp_of_another_checkpoint_or_authority_is_none(
        self, authority: TimestampAuthority, tmp_path: Path
    ) -> None:
        raw = self.stamp(authority, tmp_path).read_bytes()
        with pytest.raises(ValueError, match="not over this content"):
            check_stamp(raw, NOTE.replace("1041", "1042").encode(), read_roots(authority.roots))
        other = TimestampAuthority.make(tmp_path / "other")
        with pytest.raises(ValueError, match="not by the authority"):
            check_stamp(raw, NOTE.encode(), read_roots(other.roots))

    def test_all_that_are_kept_are_checked(self, authority: TimestampAuthority, tmp_path: Path) -> None:
        kept = self.stamp(authority, tmp_path)
        (good,) = check_stamps(tmp_path, {1041: NOTE}, {"tsa": authority.roots})
        assert (good.size, good.name, good.problem) == (1041, "tsa", None)
        raw = bytearray(kept.read_bytes())
        raw[len(raw) // 2] ^= 1
        kept.write_bytes(raw)
        assert [stamp.problem is None for stamp in check_stamps(tmp_path, {1041: NOTE}, authority.roots)] == [False]
        assert [stamp.problem for stamp in check_stamps(tmp_path, {}, authority.roots)] == [
            "no anchor of that size is in anchors.log"
        ]

    @pytest.mark.parametrize("answer", [b"", b"no stamp", b"\x30\x03\x02\x01\x00"])
    def test_an_answer_that_is_none_is_not_kept(
        self, authority: TimestampAuthority, tmp_path: Path, answer: bytes
    ) -> None:
        with serving(Endpoint(answer=lambda _: answer)) as endpoint, pytest.raises(SinkFailed):
            run(TimestampSink("tsa", endpoint.url, authority.roots, tmp_path).send(NOTE))
        assert not (tmp_path / FOLDER).exists()

    def test_a_stamp_for_another_query_is_not_kept(self, authority: TimestampAuthority, tmp_path: Path) -> None:
        old: list[bytes] = []

        def replay(query: bytes) -> bytes:
            old.append(authority.reply(query))
            return old[0]

        with serving(Endpoint(answer=replay)) as endpoint:
            sink = TimestampSink("tsa", endpoint.url, authority.roots, tmp_path)
            run(sink.send(NOTE))
            with pytest.raises(SinkFailed):
                run(sink.send(NOTE))  # its nonce is another
