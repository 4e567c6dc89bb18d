"""`gatekeeper approvals` against a real admin socket, with real keys, as a reviewer would type it."""

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from click.testing import CliRunner, Result
from reviewing import ALICE, BOB, CAROL, SigningKey, Station, a_hold, a_rule, allowed_signers, config_for, held
from served import Served

from gatekeeper.approvals import Refused, Released
from gatekeeper.cli import main
from gatekeeper.exchange import Reason, ToolCall
from gatekeeper.journal.entries import DecisionData
from gatekeeper.journal.statement import Answer, parse_statement


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SigningKey]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: SigningKey.make(folder, name) for name in (ALICE, BOB, CAROL)}


@pytest.fixture
def served(tmp_path: Path, keys: dict[str, SigningKey], monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    served = Served(Station(tmp_path, config_for(tmp_path, allowed_signers(keys))))
    monkeypatch.setenv("GATEKEEPER_SOCKET", str(served.socket))
    yield served
    served.end()


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[SigningKey], None]]:
    place = tmp_path / "agent.sock"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(place)], stdout=subprocess.DEVNULL)
    while not place.exists():
        assert process.poll() is None
    monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
    yield lambda key: subprocess.run(["ssh-add", "-q", str(key.path)], check=True)
    process.terminate()
    process.wait()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["approvals", *arguments])


def test_nothing_waits(served: Served) -> None:
    assert served.desk.list() == ()
    done = run("list")
    assert (done.exit_code, done.output) == (0, "Nothing waits for a decision.\n")
    assert json.loads(run("list", "--json").output) == []


def test_what_waits_is_listed(served: Served) -> None:
    served.hold()
    done = run("list")
    assert done.exit_code == 0
    for said in (
        served.id(),
        "pending",
        "support-bot",
        "POST https://payments.example.com/v1/refunds",
        "CREDIT_CARD 1",
    ):
        assert said in done.output
    (listed,) = json.loads(run("list", "--json").output)
    assert (listed["id"], listed["digest"]) == (served.id(), a_hold().digest)


def test_a_request_is_shown_as_a_person_reads_it(served: Served) -> None:
    served.hold()
    done = run("show", served.id()[4:9])
    assert done.exit_code == 0
    for said in (
        f"{served.id()}  pending",
        "refunds need a finance lead",
        "host payments.example.com; path /v1/refunds",
        "content-type: application/json",
        "1 of alice@example.com, bob@example.com, carol@example.com",
        a_hold().digest,
        a_hold().request.leaf,
        '  "card": "<CREDIT_CARD>",\n  "amount": 20.50\n',
    ):
        assert said in done.output
    shown = json.loads(run("show", served.id(), "--json").output)
    assert shown["body"] == a_hold().view.body.decode()


def test_what_could_drive_a_terminal_is_made_visible(served: Served) -> None:
    bad = "\x1b[2J\u202e\r\n"
    view = msgspec.structs.replace(
        a_hold().view, url=f"https://x.test/{bad}", headers=(("x", bad),), body=f"b{bad}".encode()
    )
    subject = msgspec.structs.replace(a_hold().subject, sub=f"s{bad}", workflow=f"w{bad}", groups=(f"g{bad}",))
    served.hold(
        view=view,
        subject=subject,
        rule=a_rule(name=f"r{bad}"),
        reasons=(f"because{bad}",),
        findings={f"F{bad}": 1},
        model=f"m{bad}",
    )
    for arguments in (("list",), ("show", served.id())):
        done = run(*arguments)
        assert done.exit_code == 0
        assert "‹U+001B›[2J‹U+202E›‹U+000D›" in done.output
        assert not set("\x1b\u202e\r") & set(done.output)


@pytest.mark.parametrize("verdict", list(Answer))
def test_a_decision_is_announced_signed_and_takes_effect(
    served: Served, keys: dict[str, SigningKey], verdict: Answer
) -> None:
    call = served.hold()
    done = run(verdict.value, served.id(), "--key", str(keys[ALICE].path))
    assert done.exit_code == 0, done.output
    said = f"You sign: {verdict.value} this call, once."
    assert done.output.startswith(said)
    assert a_hold().digest in done.output
    outcome = served.outcome(call)
    if verdict is Answer.APPROVE:
        assert isinstance(outcome, Released)
        assert "released" in done.output.splitlines()[-1]
    else:
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.DENIED_BY_REVIEWER
        assert "denied" in done.output.splitlines()[-1]
    (decision,) = served.station.recording.of(DecisionData)
    statement = parse_statement(decision.statement.encode())
    assert (statement.verdict, statement.reviewer, statement.reason) == (verdict, ALICE, "")


def test_a_decision_of_a_quorum_says_how_many_are_there(served: Served, keys: dict[str, SigningKey]) -> None:
    served.hold(rule=a_rule(quorum=2))
    done = run("approve", served.id(), "--key", str(keys[ALICE].path))
    assert "1 of 2 reviewers have approved" in done.output
    shown = run("show", served.id()).output
    assert f"approve by {ALICE} at 20" in shown


def test_who_is_not_waited_for_is_said_too(served: Served, keys: dict[str, SigningKey]) -> None:
    gone = asyncio.Event()
    call = served.do(held(served.desk, a_hold(), gone))
    served.loop.call_soon_threadsafe(gone.set)
    served.outcome(call)
    done = run("approve", served.id(), "--key", str(keys[ALICE].path))
    assert "will be released when it is repeated" in done.output
    assert "approved" in run("list").output


def test_a_name_can_be_given_where_the_comment_is_another(
    served: Served, keys: dict[str, SigningKey], tmp_path: Path
) -> None:
    served.hold()
    bare = tmp_path / "bare"
    bare.write_bytes(keys[ALICE].path.read_bytes())
    bare.chmod(0o600)
    done = run("approve", served.id(), "--key", str(bare))
    assert done.exit_code == 2
    assert "--as NAME" in done.output
    assert run("approve", served.id(), "--key", str(bare), "--as", ALICE).exit_code == 0


def test_the_agent_signs_with_the_key_that_is_named_like_a_reviewer(
    served: Served, keys: dict[str, SigningKey], agent: Callable[[SigningKey], None], tmp_path: Path
) -> None:
    served.hold()
    agent(SigningKey.make(tmp_path, "laptop"))
    agent(keys[ALICE])
    assert run("approve", served.id()).exit_code == 0
    assert served.station.recording.of(DecisionData)[0].reviewer == ALICE


def test_the_agent_signs_with_a_public_key_that_is_named(
    served: Served, keys: dict[str, SigningKey], agent: Callable[[SigningKey], None], tmp_path: Path
) -> None:
    served.hold()
    agent(keys[ALICE])
    agent(keys[BOB])
    ambiguous = run("approve", served.id())
    assert ambiguous.exit_code == 2
    assert f"({ALICE}, {BOB})" in ambiguous.output
    public = tmp_path / "mine.pub"
    public.write_text(keys[BOB].public)
    assert run("approve", served.id(), "--key", str(public)).exit_code == 0
    assert served.station.recording.of(DecisionData)[0].reviewer == BOB


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "apr-zzz"), 1, "there is no approval"),
        (("show", "\x1b[31m"), 1, r"\x1b[31m"),
        (("show", ""), 1, "Not Found"),
        (("approve", "apr-zzz", "--key", "{alice}"), 1, "there is no approval"),
        (("approve", "{id}", "--key", "{carol}"), 1, "owns the workload"),
        (("approve", "{id}", "--key", "{alice}", "--as", "mallory"), 1, "mallory is no reviewer"),
        (("approve", "{id}", "--key", "{alice}", "--as", BOB), 1, "not by a key"),
        (("approve", "{id}", "--key", "/nonexistent/key"), 2, "/nonexistent/key: can't be read"),
        (("approve", "{id}"), 2, "ssh-agent"),
        (("approve",), 2, "Missing argument"),
        (("approve", "{id}", "--for", "soon"), 2, "expected a duration"),
    ],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(
    served: Served, keys: dict[str, SigningKey], arguments: tuple[str, ...], code: int, said: str
) -> None:
    call = served.hold()
    names = {"id": served.id(), "alice": str(keys[ALICE].path), "carol": str(keys[CAROL].path)}
    done = CliRunner().invoke(main, ["approvals", *(argument.format(**names) for argument in arguments)])
    assert done.exit_code == code
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.output
    assert not call.done()


def test_what_is_decided_is_not_signed_again(served: Served, keys: dict[str, SigningKey]) -> None:
    call = served.hold()
    run("deny", served.id(), "--key", str(keys[ALICE].path))
    served.outcome(call)
    done = run("approve", served.id(), "--key", str(keys[BOB].path))
    assert done.exit_code == 1
    assert "is denied" in done.stderr
    assert "You sign" not in done.output
    assert run("list").output == "Nothing waits for a decision.\n"
    assert served.id() in run("list", "--all").output


def test_a_key_that_can_not_sign_sends_nothing(served: Served, tmp_path: Path) -> None:
    served.hold()
    broken = tmp_path / "broken"
    broken.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n")
    broken.chmod(0o600)
    done = run("approve", served.id(), "--key", str(broken), "--as", ALICE)
    assert done.exit_code == 2
    assert f"{broken}: ssh-keygen did not sign" in done.stderr
    assert served.station.recording.of(DecisionData) == []


def test_a_reason_is_signed_and_one_with_a_card_number_is_not(served: Served, keys: dict[str, SigningKey]) -> None:
    served.hold()
    bad = run("approve", served.id(), "--key", str(keys[ALICE].path), "--reason", "card 4111 1111 1111 1111 is fine")
    assert bad.exit_code == 2
    assert "4111" not in bad.output
    assert "personal data" in bad.stderr
    assert run("approve", served.id(), "--key", str(keys[ALICE].path), "--reason", "known customer").exit_code == 0
    (decision,) = served.station.recording.of(DecisionData)
    assert parse_statement(decision.statement.encode()).reason == "known customer"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("missing.sock", "is the gateway running"),
        ("plain", "nobody answers"),
        ("no/such/folder.sock", "no such socket"),
    ],
)
def test_without_a_gateway_it_says_what_to_do(tmp_path: Path, place: str, said: str) -> None:
    (tmp_path / "plain").touch()
    done = run("--socket", str(tmp_path / place), "list")
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_socket_of_another_group_says_whom_to_ask(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may use every socket")
    (tmp_path / "closed").mkdir(0o000)
    done = run("--socket", str(tmp_path / "closed" / "admin.sock"), "list")
    assert done.exit_code == 2
    assert "reviewers' group" in done.stderr


def test_without_a_socket_the_configuration_says_where_it_is(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEKEEPER_SOCKET")
    config = served.station.folder / "config.toml"
    config.write_text('[admin]\nlisten = "unix:admin.sock"\n')
    for arguments in (("--config", str(config), "list"), ("list", "--config", str(config))):
        assert run(*arguments).output == "Nothing waits for a decision.\n"


def test_calls_that_look_the_same_are_decided_together_with_a_signature_for_each(
    served: Served, keys: dict[str, SigningKey]
) -> None:
    calls = [served.hold(number, matter=f"matter {number}") for number in range(3)]
    other = served.hold(9, matter="other", view=msgspec.structs.replace(a_hold().view, body=b"other"))
    assert "(3 alike)" in run("list").output
    done = run("approve", served.id(), "--alike", "--key", str(keys[ALICE].path))
    assert done.exit_code == 0
    assert done.output.count("You sign") == 3
    assert all(isinstance(served.outcome(call), Released) for call in calls)
    assert len({data.signature for data in served.station.recording.of(DecisionData)}) == 3
    assert not other.done()


def test_a_grant_is_given_listed_used_and_ended(served: Served, keys: dict[str, SigningKey]) -> None:
    key = str(keys[ALICE].path)
    call = served.hold()
    assert "limit a grant" in run("approve", served.id(), "--uses", "5", "--key", key).stderr
    assert "not the call of one tool" in run("approve", served.id(), "--for", "1h", "--same-tool", "--key", key).stderr
    done = run("approve", served.id(), "--for", "1h", "--uses", "5", "--key", key)
    assert done.exit_code == 0, done.output
    assert "later ones of this workload under this rule: until" in done.output
    assert "granted (grant 1)" in done.output
    assert isinstance(served.outcome(call), Released)
    grants = CliRunner().invoke(main, ["grants", "list"])
    assert "1 of 5" in grants.output
    (listed,) = json.loads(CliRunner().invoke(main, ["grants", "list", "--json"]).output)
    assert (listed["grant"], listed["subject"]) == (1, "support-bot")
    ended = CliRunner().invoke(main, ["grants", "revoke", "1", "--key", str(keys[BOB].path)])
    assert (ended.exit_code, ended.output.splitlines()[-1]) == (0, "grant 1: revoked, after 1 use.")
    assert CliRunner().invoke(main, ["grants", "list"]).output == "No grant is in force.\n"
    again = CliRunner().invoke(main, ["grants", "revoke", "1", "--key", str(keys[BOB].path)])
    assert again.exit_code == 1


def test_who_may_breaks_the_glass_and_it_is_marked(served: Served, keys: dict[str, SigningKey], tmp_path: Path) -> None:
    served.end()
    config = msgspec.structs.replace(
        served.station.config, groups={"finance": (ALICE,), "on-call": (BOB,)}, break_glass=("on-call",)
    )
    breaking = Served(Station(tmp_path, config))
    try:
        call = breaking.hold()
        key = str(keys[BOB].path)
        assert run("approve", breaking.id(), "--break-glass", "--key", key).exit_code == 2  # no reason
        done = run("approve", breaking.id(), "--break-glass", "--reason", "shop is down", "--key", key)
        assert done.exit_code == 0, done.output
        assert "You sign: BREAK GLASS" in done.output
        assert isinstance(breaking.outcome(call), Released)
        assert "BREAK GLASS used" in run("list", "--all").output
        assert "BREAK GLASS approve by" in run("show", breaking.id()).output
    finally:
        breaking.end()
        served.begin()


def test_a_statement_is_printed_signed_elsewhere_and_sent(
    served: Served, keys: dict[str, SigningKey], tmp_path: Path
) -> None:
    call = served.hold()
    statement, signature = tmp_path / "statement", tmp_path / "statement.sig"
    printed = run("statement", served.id(), "--as", ALICE, "--reason", "seen")
    assert not printed.output.endswith("\n")
    statement.write_text(printed.output)
    signature.write_text(keys[ALICE].sign(statement.read_bytes()))
    both = ("--statement", str(statement), "--signature", str(signature))
    assert run("deny", served.id(), *both).exit_code == 1
    assert run("approve", "apr-aaaaaaaaaa", *both).exit_code == 1
    assert run("approve", served.id(), "--statement", str(statement)).exit_code == 2
    assert run("approve", served.id(), *both).exit_code == 0
    assert isinstance(served.outcome(call), Released)


def test_on_a_terminal_it_asks_before_it_signs(
    served: Served, keys: dict[str, SigningKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = served.hold()
    arguments = ["approvals", "approve", served.id(), "--key", str(keys[ALICE].path)]
    monkeypatch.setattr("gatekeeper.cli.deciding.sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    no = CliRunner().invoke(main, arguments, input="n\n")
    assert (no.exit_code, served.station.recording.of(DecisionData)) == (1, [])
    assert CliRunner().invoke(main, arguments, input="y\n").exit_code == 0
    assert isinstance(served.outcome(call), Released)


def test_what_is_withdrawn_ends_and_figures_count(served: Served, keys: dict[str, SigningKey]) -> None:
    call = served.hold()
    done = run("withdraw", served.id(), "--reason", "asked by mistake")
    assert done.output == f"{served.id()}: withdrawn.\n"
    assert isinstance(served.outcome(call), Refused)
    assert run("withdraw", served.id(), "--reason", "again").exit_code == 1
    served.hold(2)
    run("deny", served.desk.pending()[0].id, "--key", str(keys[ALICE].path))
    assert f"{ALICE}  1          0         1" in run("figures").output
    (counted,) = json.loads(run("figures", "--json").output)
    assert (counted["reviewer"], counted["silent"]) == (ALICE, 1)


def test_a_call_to_a_model_is_shown_as_people_read_it(served: Served) -> None:
    messages = [{"role": "system", "content": "Be kind."}] + [
        {"role": "user", "content": f"question {number} \u202e"} for number in range(8)
    ]
    messages += [{"role": "assistant", "tool_calls": [{"function": {"name": "look_up", "arguments": '{"a":1}'}}]}]
    view = msgspec.structs.replace(a_hold().view, body=json.dumps({"model": "m", "messages": messages}).encode())
    served.hold(view=view, dialect="openai", model="m", tool_calls=(ToolCall("issue_refund", '{"amount":20}'),))
    shown = run("show", served.id()).output
    assert 'calls issue_refund\n  {\n    "amount": 20\n  }' in shown
    assert "… 4 earlier messages" in shown
    assert 'user:\n  question 7 ‹U+202E›\nassistant:\n  calls look_up({"a":1})' in shown
    assert "nothing was decided on this workload under this rule before" in shown
    assert '"role": "system"' in run("show", served.id(), "--raw").output
