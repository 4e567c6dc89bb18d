from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import AwsConfig, ConfigError, CredentialConfig, Foreign, SecretTemplate
from gatekeeper.credentials import CredentialUnavailable, ForeignCredential, Outgoing, Vault
from gatekeeper.exchange import Headers, Message, Reason, Scheme, Target

KEY = b"k" * 32
SECRET = "Bearer upstream-s3cret"
TARGET = Target(Scheme.HTTPS, "api.example.com", 443)
OWN = "sk-proj-4f9a8b7c6d5e"


def vault(foreign: Foreign = Foreign.STRIP, header: str = "Authorization", host: str = "api.example.com") -> Vault:
    config = CredentialConfig(header=header, value=SecretTemplate("Bearer ${env:KEY}"), foreign=foreign)
    return Vault.load({host: config}, {"KEY": "upstream-s3cret"}, KEY)


def put(vault: Vault, headers: Headers = (), target: Target = TARGET, path: str = "/v1") -> Outgoing:
    return vault.apply(target, Outgoing("POST", path, headers, b"{}"))


def places(vault: Vault, headers: Headers, path: str = "/v1") -> list[str]:
    return [key.place for key in vault.found(TARGET, headers, path)]


def test_puts_the_secret_in() -> None:
    applied = put(vault(), (("Accept", "*/*"),))
    assert applied.headers == (("Accept", "*/*"), ("Authorization", SECRET))


@pytest.mark.parametrize("host", ["API.Example.com", "api.example.com."])
def test_the_spelling_of_the_configured_host_does_not_matter(host: str) -> None:
    assert put(vault(host=host)).headers == (("Authorization", SECRET),)


@pytest.mark.parametrize(
    "host", ["example.com", "api.example.com.evil.example", "evil-api.example.com", "a.api.example.com", ""]
)
def test_another_host_gets_no_secret_and_keeps_its_headers(host: str) -> None:
    headers = (("Authorization", f"Bearer {OWN}"), ("x-api-key", "x"))
    assert put(vault(), headers, Target(Scheme.HTTPS, host, 443)).headers == headers


def test_a_secret_is_not_sent_in_clear_text() -> None:
    with pytest.raises(CredentialUnavailable, match="https only"):
        put(vault(), target=Target(Scheme.HTTP, "api.example.com", 443))


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "authorization",
        "X-Api-Key",
        "api-key",
        "x-goog-api-key",
        "X_API_KEY",
        "Authorization ",
        "X-Own",
    ],
)
def test_the_containers_keys_are_taken_out(name: str) -> None:
    prepared = vault(header="X-Own")
    headers = (("A", "1"), (name, OWN), (name.swapcase(), "x"), ("B", "2"))
    assert put(prepared, headers).headers == (("A", "1"), ("B", "2"), ("X-Own", SECRET))
    assert [key.fingerprint for key in prepared.found(TARGET, headers, "/")] == [prepared.fingerprint(OWN)]


PLACEHOLDERS = [
    "", "Bearer", "Bearer ", "none", "None", "null", "EMPTY", "placeholder", "gatekeeper", "sk-placeholder",
    "sk-ant-none", "Bearer sk-gatekeeper", "Bearer dummy", "not-needed", "x", "xxxx", "sk-xxx", "***", "...", "unused",
]  # fmt: skip


@pytest.mark.parametrize("value", PLACEHOLDERS)
@pytest.mark.parametrize("foreign", Foreign)
def test_a_placeholder_is_no_key_whatever_foreign_says(foreign: Foreign, value: str) -> None:
    headers = (("Authorization", value), ("x-api-key", value))
    assert put(vault(foreign), headers).headers == (("Authorization", SECRET),)
    assert not places(vault(foreign), headers)


@pytest.mark.parametrize("value", [OWN, f"Bearer {OWN}", "none1", "sk-placeholder-7", "x y", "Basic dXNlcjpwYXNz", "é"])
def test_a_key_that_is_none_of_them_counts_as_one(value: str) -> None:
    assert places(vault(), (("Authorization", value),)) == ["header authorization"]
    with pytest.raises(ForeignCredential) as caught:
        put(vault(Foreign.DENY), (("Authorization", value),))
    assert caught.value.reason is Reason.FOREIGN_CREDENTIAL
    assert value not in str(caught.value)


def test_deny_finds_a_key_behind_a_placeholder() -> None:
    with pytest.raises(ForeignCredential):
        put(vault(Foreign.DENY), (("Authorization", "none"), ("x-api-key", OWN)))


def test_allow_lets_the_containers_key_pass_and_adds_none() -> None:
    headers = (("Authorization", f"Bearer {OWN}"),)
    assert put(vault(Foreign.ALLOW), headers).headers == headers


def test_a_fingerprint_names_the_key_under_this_installations_key_only() -> None:
    prepared, other = vault(), Vault.load({}, {}, b"o" * 32)
    assert (
        prepared.fingerprint(OWN) == prepared.fingerprint(f"Bearer {OWN}") == prepared.fingerprint(f" bearer  {OWN} ")
    )
    assert prepared.fingerprint(OWN) != prepared.fingerprint(OWN + "x")
    assert prepared.fingerprint(OWN) != other.fingerprint(OWN)
    assert OWN not in prepared.fingerprint(OWN)


@pytest.mark.parametrize("name", ["Authorization", "x_api_key", "API-Key", "X-Own"])
def test_what_carries_a_credential_to_a_host_can_be_left_out(name: str) -> None:
    headers = (("A", "1"), (name, OWN), ("B", "2"))
    assert vault(header="X-Own").without_credentials(TARGET.host, headers) == (("A", "1"), ("B", "2"))


def test_the_header_of_one_host_is_no_credential_to_another() -> None:
    headers = (("X-Own", OWN), ("Authorization", OWN))
    assert vault(header="X-Own").without_credentials("b.example", headers) == (("X-Own", OWN),)


def test_a_missing_secret_matters_only_to_its_own_host() -> None:
    config = CredentialConfig(value=SecretTemplate("${env:NONE}"))
    prepared = Vault.load({"a.example": config}, {}, KEY)
    assert put(prepared).headers == ()
    with pytest.raises(CredentialUnavailable, match="NONE"):
        put(prepared, target=Target(Scheme.HTTPS, "a.example", 443))


def test_one_host_in_two_spellings_is_refused() -> None:
    config = CredentialConfig(value=SecretTemplate("x"))
    with pytest.raises(ConfigError, match=r"^credentials\.A\.example: .*twice"):
        Vault.load({"a.example": config, "A.example": config}, {}, KEY)


def test_an_unknown_reference_is_refused_at_load_without_showing_the_value() -> None:
    config = CredentialConfig(value=SecretTemplate("s3cret ${none:x}"))
    with pytest.raises(ConfigError, match=r"^credentials\.a\.example\.value: ") as caught:
        Vault.load({"a.example": config}, {}, KEY)
    assert "s3cret" not in str(caught.value)


NAMES = st.sampled_from(["Authorization", "X-API-Key", "api_key", "x-goog-api-key", "Accept", "Cookie"])


@given(st.lists(st.tuples(NAMES, st.text(max_size=8))).map(tuple), st.sampled_from([Foreign.STRIP, Foreign.DENY]))
def test_the_only_credential_that_leaves_is_the_gateways(
    headers: tuple[tuple[str, str], ...], foreign: Foreign
) -> None:
    try:
        applied = put(vault(foreign), headers)
    except ForeignCredential:
        return
    kept = [field for field in headers if field[0] == "Accept"]
    assert applied.headers == (*kept, ("Authorization", SECRET))


def test_shows_nothing() -> None:
    prepared = vault()
    assert "s3cret" not in f"{prepared!r} {prepared._entries!r} {put(prepared)!r}"


def test_a_secret_is_taken_out_of_what_comes_back_whole_or_without_its_scheme() -> None:
    vault = Vault.load(
        {"api.example.com": CredentialConfig(value=SecretTemplate("Bearer q7-no-known-shape"))}, {}, b"key"
    )
    put(vault)
    echoed = Message(
        headers=(("X-Echo", "q7-no-known-shape"),), body=b"bare q7-no-known-shape, whole Bearer q7-no-known-shape"
    )
    clean = vault.without_secret("api.example.com", echoed)
    assert b"q7-no" not in clean.body
    assert "q7-no" not in clean.header("x-echo")
    assert vault.without_secret("other.example.com", echoed) is echoed
    plain = Message(body=b"nothing of it")
    assert vault.without_secret("api.example.com", plain) is plain


def test_a_secret_too_short_to_tell_from_text_is_left() -> None:
    vault = Vault.load({"api.example.com": CredentialConfig(value=SecretTemplate("abc"))}, {}, b"key")
    put(vault)
    assert vault.without_secret("api.example.com", Message(body=b"the abc")).body == b"the abc"


# ── ways to send a secret ───────────────────────────────────────────────────────────────────────────────────────


def loaded(**config: object) -> Vault:
    return Vault.load({"api.example.com": CredentialConfig(**config)}, {"KEY": "s3cret/of mine"}, KEY)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/v1", "/v1?key=s3cret%2Fof%20mine"),
        ("/v1?", "/v1?key=s3cret%2Fof%20mine"),
        ("/v1?a=1&b=%20", "/v1?a=1&b=%20&key=s3cret%2Fof%20mine"),
        ("/v1?key=own&a=1", "/v1?a=1&key=s3cret%2Fof%20mine"),
        ("/v1?%6bey=own", "/v1?key=s3cret%2Fof%20mine"),
        ("/v1?KEY=own&key=own", "/v1?key=s3cret%2Fof%20mine"),
        ("/v1?api_key=own", "/v1?key=s3cret%2Fof%20mine"),
    ],
)
def test_a_secret_goes_into_the_query_in_the_place_of_any_other(path: str, sent: str) -> None:
    prepared = loaded(query="key", value=SecretTemplate("${env:KEY}"))
    applied = put(prepared, (("Authorization", OWN),), path=path)
    assert (applied.path, applied.headers) == (sent, ())
    before, after = (prepared.without_credential_parameters(TARGET.host, one) for one in (path, sent))
    assert before.rstrip("?") == after  # what a digest covers does not change when the secret is put in


def test_a_secret_goes_as_the_password_of_basic_credentials() -> None:
    prepared = loaded(basic="me", value=SecretTemplate("${env:KEY}"))
    assert put(prepared).headers == (("Authorization", "Basic bWU6czNjcmV0L29mIG1pbmU="),)
    echo = Message(
        body=b"you are bWU6czNjcmV0L29mIG1pbmU=, that is me:s3cret/of mine, s3cret%2Fof%20mine, s3cret\\/of mine"
    )
    clean = prepared.without_secret("api.example.com", echo).body
    assert b"s3cret" not in clean
    assert b"bWU6" not in clean


def test_a_request_is_signed_for_aws() -> None:
    """The signature of botocore itself; here is looked at what is covered, and that nothing of the client's stays."""
    aws = AwsConfig(
        region="eu-central-1",
        service="bedrock",
        access_key=SecretTemplate("AKIDEXAMPLE"),
        secret_key=SecretTemplate("${env:KEY}"),
        session_token=SecretTemplate("session"),
    )
    own = (("Authorization", "AWS4-HMAC-SHA256 own"), ("X-Amz-Date", "own"), ("Content-Type", "application/json"))
    applied = dict(put(loaded(aws=aws), own, path="/model/a%3Ab/converse").headers)
    assert applied["Content-Type"] == "application/json"
    assert applied["X-Amz-Security-Token"] == "session"
    assert applied["X-Amz-Date"] != "own"
    signature = applied["Authorization"]
    assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-central-1/bedrock/aws4_request" in signature
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token" in signature
    assert "s3cret" not in repr(applied)


def test_a_secret_that_was_changed_is_still_taken_out_of_answers(tmp_path: Path) -> None:
    file = tmp_path / "key"
    prepared = loaded(value=SecretTemplate(f"Bearer ${{file:{file}}}"))
    for secret in ("first-secret", "second-secret"):
        file.write_text(secret)
        assert put(prepared).headers == (("Authorization", f"Bearer {secret}"),)
    body = prepared.without_secret("api.example.com", Message(body=b"first-secret second-secret")).body
    assert body == "‹removed› ‹removed›".encode()


# ── keys of the container's own ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("headers", "path", "place"),
    [
        ((("Authorization", f"Bearer {OWN}"),), "/", "header authorization"),
        ((("X-Goog-Api-Key", OWN),), "/", "header x-goog-api-key"),
        ((("X_Api_Key", OWN),), "/", "header x-api-key"),
        ((("Cookie", f"__cf_bm=harmless; session={OWN}"),), "/", "cookie"),
        (
            (("Sec-WebSocket-Protocol", f"realtime, openai-insecure-api-key.{OWN}"),),
            "/",
            "header sec-websocket-protocol",
        ),
        ((), f"/?key={OWN}", "query key"),
        ((), f"/?a=1&access_token={OWN}", "query access_token"),
        ((), f"/?%6Bey={OWN}", "query key"),
    ],
)
def test_a_key_is_found_wherever_it_stands(headers: Headers, path: str, place: str) -> None:
    assert places(vault(), headers, path) == [place]
    assert places(Vault.load({}, {}, KEY), headers, path) == [place]
    with pytest.raises(ForeignCredential):
        put(vault(Foreign.DENY), headers, path=path)
    sent = put(vault(), headers, path=path)
    assert OWN not in sent.path + str(sent.headers)
    elsewhere = put(Vault.load({}, {}, KEY, elsewhere=Foreign.STRIP), headers, path=path)
    assert OWN not in elsewhere.path + str(elsewhere.headers)


def test_what_content_networks_set_is_no_key() -> None:
    headers = (("Cookie", "__cf_bm=abcdefgh; _cfuvid=x"), ("Sec-WebSocket-Protocol", "realtime"))
    assert not places(vault(), headers, "/?key=short&keys=" + OWN)
    assert put(vault(Foreign.DENY), headers).headers == (
        ("Sec-WebSocket-Protocol", "realtime"),
        ("Authorization", SECRET),
    )


def test_the_same_key_has_the_same_fingerprint_wherever_it_is_sent() -> None:
    prepared = vault()
    found = prepared.found(TARGET, (("Authorization", f"Bearer {OWN}"), ("x-api-key", OWN)), f"/?key={OWN}")
    assert len(found) == 3
    assert {key.fingerprint for key in found} == {prepared.fingerprint(OWN)}
