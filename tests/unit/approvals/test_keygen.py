"""Signatures of every kind of key through the real ssh-keygen, and what is looked at beside it."""

import asyncio
import base64
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from reviewing import ALICE, BOB, SigningKey, allowed_signers

from gatekeeper.approvals import keygen
from gatekeeper.approvals.keygen import Keygen, read_revoked, read_signers
from gatekeeper.exchange import now
from gatekeeper.journal.statement import DecisionRefused

STATEMENT = '{"made":"up"}'
NAMESPACE = b"gatekeeper-approval"


def verified(
    signers: str, signature: str, reviewer: str = ALICE, statement: str = STATEMENT, revoked: bytes | None = None
) -> str:
    async def story() -> str:
        check = Keygen(signers, revoked)
        try:
            return await check(statement, signature, reviewer, now())
        finally:
            check.close()

    return asyncio.run(story())


@pytest.mark.parametrize(
    "kind", [("ed25519",), ("ecdsa", "-b", "256"), ("ecdsa", "-b", "521"), ("rsa", "-b", "3072")], ids=" ".join
)
@pytest.mark.parametrize("options", [(), ("-Ohashalg=sha256",)], ids=["sha512", "sha256"])
def test_each_kind_of_key_is_believed_and_named(
    tmp_path: Path, kind: tuple[str, ...], options: tuple[str, ...]
) -> None:
    key = SigningKey.make(tmp_path, ALICE, *kind)
    signature = key.sign(STATEMENT.encode(), "gatekeeper-approval", *options)
    blob = base64.b64decode(key.public.split()[1])
    assert verified(allowed_signers({ALICE: key}), signature) == blob.hex()


@pytest.mark.parametrize("statement", [STATEMENT + " ", "", STATEMENT.replace("up", "down")])
def test_another_text_is_refused(keys: dict[str, SigningKey], statement: str) -> None:
    signature = keys[ALICE].sign(STATEMENT.encode())
    with pytest.raises(DecisionRefused, match="not by a key"):
        verified(allowed_signers(keys), signature, statement=statement)


def test_another_reviewer_and_an_empty_list_are_refused(keys: dict[str, SigningKey]) -> None:
    signature = keys[ALICE].sign(STATEMENT.encode())
    with pytest.raises(DecisionRefused, match=BOB):
        verified(allowed_signers(keys), signature, BOB)
    with pytest.raises(DecisionRefused, match="not by a key"):
        verified("", signature)


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4) + data


def made_up(
    kind: bytes = b"ssh-ed25519",
    *,
    namespace: bytes = NAMESPACE,
    hash_name: bytes = b"sha512",
    flags: bytes = b"",
    tail: bytes = b"",
    version: int = 1,
) -> str:
    inner = string(kind) + string(b"\0" * 64) + flags
    parts = string(string(kind) + string(b"\0" * 32)), string(namespace), string(b""), string(hash_name), string(inner)
    data = b"SSHSIG" + version.to_bytes(4) + b"".join(parts) + tail
    return f"-----BEGIN SSH SIGNATURE-----\n{base64.b64encode(data).decode()}\n-----END SSH SIGNATURE-----\n"


SK = b"sk-ssh-ed25519@openssh.com"
TOUCHED, UNTOUCHED, VERIFIED_ONLY = b"\x01\0\0\0\1", b"\x00\0\0\0\1", b"\x04\0\0\0\1"


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        (made_up(), "not by a key"),
        (made_up(SK, flags=TOUCHED), "not by a key"),
        (made_up(SK, flags=UNTOUCHED), "not touched"),
        (made_up(SK, flags=VERIFIED_ONLY), "not touched"),
        (made_up(b"sk-ecdsa-sha2-nistp256@openssh.com", flags=UNTOUCHED), "not touched"),
        (made_up(b"webauthn-sk-ecdsa-sha2-nistp256@openssh.com", flags=UNTOUCHED), "not touched"),
        (made_up(SK), "ends too early"),
        (made_up(b"ssh-ed25519-cert-v01@openssh.com"), "ends too early"),
        (made_up(b"ssh-new-cert-v01@openssh.com"), "unknown type"),
        (made_up(namespace=b"git"), "another purpose"),
        (made_up(namespace=NAMESPACE + b"\0"), "another purpose"),
        (made_up(hash_name=b"md5"), "hash"),
        (made_up(hash_name=b"sha1"), "hash"),
        (made_up(hash_name=b""), "hash"),
        (made_up(version=2), "version 1"),
        (made_up(tail=b"more"), "follows"),
        (made_up()[:-40], "can't be read"),
        ("", "can't be read"),
        ("\n" + made_up(), "can't be read"),
        (made_up() + made_up(), "can't be read"),
        (made_up().replace("\n", "\r\n"), "can't be read"),
        ("-----BEGIN SSH SIGNATURE-----\nA\n-----END SSH SIGNATURE-----\n", "base64"),
        ("-----BEGIN SSH SIGNATURE-----\nU1NI\n-----END SSH SIGNATURE-----\n", "ends too early"),
    ],
)
def test_a_signature_of_another_form_is_refused_with_a_reason(
    keys: dict[str, SigningKey], signature: str, problem: str
) -> None:
    with pytest.raises(DecisionRefused, match=problem):
        verified(allowed_signers(keys), signature)


@pytest.fixture
def other_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "ssh-keygen"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return put


def test_one_that_hangs_is_ended_and_the_decision_refused(
    keys: dict[str, SigningKey], other_program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = keys[ALICE].sign(STATEMENT.encode())
    other_program("exec sleep 60")
    monkeypatch.setattr(keygen, "PATIENCE", 0.05)
    with pytest.raises(DecisionRefused, match="no answer"):
        verified(allowed_signers(keys), signature)


def test_it_gets_no_environment_that_could_hold_secrets(
    keys: dict[str, SigningKey], other_program: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signature = keys[ALICE].sign(STATEMENT.encode())
    monkeypatch.setenv("OPENAI_API_KEY", "canary-in-the-environment")
    other_program(f"/usr/bin/env > {tmp_path}/seen; exit 0")
    verified(allowed_signers(keys), signature)
    assert "LC_ALL" in (tmp_path / "seen").read_text()
    assert "canary" not in (tmp_path / "seen").read_text()


def test_without_openssh_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(FileNotFoundError, match="install the OpenSSH client"):
        Keygen("")


def test_its_files_are_private_and_gone_in_the_end(keys: dict[str, SigningKey]) -> None:
    check = Keygen(allowed_signers(keys))
    folder = check._signers.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert check._signers.stat().st_mode & 0o777 == 0o600
    asyncio.run(check(STATEMENT, keys[ALICE].sign(STATEMENT.encode()), ALICE, now()))
    assert [path.name for path in folder.iterdir()] == ["allowed_signers"]
    check.close()
    assert not folder.exists()


def test_signers_are_read_whole_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "allowed_signers"
    assert read_signers(path) == ""
    path.write_text("# nobody\n")
    assert read_signers(path) == "# nobody\n"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="not UTF-8"):
        read_signers(path)
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(ValueError, match="more than"):
        read_signers(path)


def certified(key: SigningKey, ca: SigningKey, *options: str) -> str:
    """Sign with the key's certificate by `ca`; `options` are for ssh-keygen -s."""
    public = key.path.with_suffix(key.path.suffix + ".pub")
    subprocess.run(["ssh-keygen", "-q", "-s", str(ca.path), "-I", "made-up", *options, str(public)], check=True)
    return SigningKey(key.path.with_name(f"{key.path.name}-cert.pub")).sign(STATEMENT.encode())


@pytest.mark.parametrize("kind", [("ed25519",), ("ecdsa", "-b", "256"), ("rsa", "-b", "3072")], ids=" ".join)
def test_a_certificate_of_a_listed_authority_is_believed_and_named_by_the_key_in_it(
    tmp_path: Path, kind: tuple[str, ...]
) -> None:
    ca, key = SigningKey.make(tmp_path, "ca"), SigningKey.make(tmp_path, ALICE, *kind)
    signers = f'*@example.com cert-authority,namespaces="gatekeeper-approval" {ca.public}\n'
    signature = certified(key, ca, "-n", ALICE)
    assert verified(signers, signature) == base64.b64decode(key.public.split()[1]).hex()
    with pytest.raises(DecisionRefused, match="not by a key"):
        verified(signers, signature, BOB)
    with pytest.raises(DecisionRefused, match="not by a key"):
        verified(f"*@example.com {ca.public}\n", signature)  # a key that is no authority
    with pytest.raises(DecisionRefused, match="not by a key"):
        verified(signers, certified(key, SigningKey.make(tmp_path, "another-ca"), "-n", ALICE))


def test_a_certificate_that_has_run_out_is_refused(tmp_path: Path) -> None:
    ca, key = SigningKey.make(tmp_path, "ca"), SigningKey.make(tmp_path, ALICE)
    signature = certified(key, ca, "-n", ALICE, "-V", "20200101:20200102")
    with pytest.raises(DecisionRefused, match="not by a key"):
        verified(f"{ALICE} cert-authority {ca.public}\n", signature)


@pytest.mark.parametrize("as_krl", [True, False])
def test_a_revoked_key_is_refused_by_krl_or_plain_list(
    tmp_path: Path,
    keys: dict[str, SigningKey],
    as_krl: bool,  # noqa: FBT001
) -> None:
    public = keys[ALICE].path.with_suffix(keys[ALICE].path.suffix + ".pub")
    krl = tmp_path / "krl"
    subprocess.run(["ssh-keygen", "-q", "-k", "-f", str(krl), str(public)], check=True)
    revoked = read_revoked(str(krl if as_krl else public))
    with pytest.raises(DecisionRefused, match="not by a key"):
        verified(allowed_signers(keys), keys[ALICE].sign(STATEMENT.encode()), revoked=revoked)
    verified(allowed_signers(keys), keys[BOB].sign(STATEMENT.encode()), BOB, revoked=revoked)


def test_a_list_of_revoked_keys_that_is_named_must_be_there_and_readable(
    tmp_path: Path, keys: dict[str, SigningKey]
) -> None:
    assert read_revoked("") is None
    with pytest.raises(FileNotFoundError):
        read_revoked(str(tmp_path / "revoked"))
    (tmp_path / "large").write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(OSError, match="more than"):
        read_revoked(str(tmp_path / "large"))
    with pytest.raises(DecisionRefused, match="not by a key"):  # damaged: nobody is believed
        verified(allowed_signers(keys), keys[ALICE].sign(STATEMENT.encode()), revoked=b"SSHKRL\n\0damaged")
