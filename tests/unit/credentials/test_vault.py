import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import ConfigError, CredentialConfig, Foreign, SecretTemplate
from gatekeeper.credentials import CredentialUnavailable, ForeignCredential, Vault
from gatekeeper.exchange import Message, Reason, Scheme, Target

KEY = b"k" * 32
SECRET = "Bearer upstream-s3cret"
TARGET = Target(Scheme.HTTPS, "api.example.com", 443)
OWN = "sk-proj-4f9a8b7c6d5e"


def vault(foreign: Foreign = Foreign.STRIP, header: str = "Authorization", host: str = "api.example.com") -> Vault:
    config = CredentialConfig(header=header, value=SecretTemplate("Bearer ${env:KEY}"), foreign=foreign)
    return Vault.load({host: config}, {"KEY": "upstream-s3cret"}, KEY)


def test_puts_the_secret_in() -> None:
    applied = vault().apply(TARGET, (("Accept", "*/*"),))
    assert applied.headers == (("Accept", "*/*"), ("Authorization", SECRET))
    assert applied.foreign is None


@pytest.mark.parametrize("host", ["API.Example.com", "api.example.com."])
def test_the_spelling_of_the_configured_host_does_not_matter(host: str) -> None:
    assert vault(host=host).apply(TARGET, ()).headers == (("Authorization", SECRET),)


@pytest.mark.parametrize(
    "host", ["example.com", "api.example.com.evil.example", "evil-api.example.com", "a.api.example.com", ""]
)
def test_another_host_gets_no_secret_and_keeps_its_headers(host: str) -> None:
    headers = (("Authorization", f"Bearer {OWN}"), ("x-api-key", "x"))
    assert vault().apply(Target(Scheme.HTTPS, host, 443), headers).headers == headers


def test_a_secret_is_not_sent_in_clear_text() -> None:
    with pytest.raises(CredentialUnavailable, match="https only"):
        vault().apply(Target(Scheme.HTTP, "api.example.com", 443), ())


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
    applied = prepared.apply(TARGET, (("A", "1"), (name, OWN), (name.swapcase(), "x"), ("B", "2")))
    assert applied.headers == (("A", "1"), ("B", "2"), ("X-Own", SECRET))
    assert applied.foreign == prepared.fingerprint(OWN)


PLACEHOLDERS = [
    "", "Bearer", "Bearer ", "none", "None", "null", "EMPTY", "placeholder", "gatekeeper", "sk-placeholder",
    "sk-ant-none", "Bearer sk-gatekeeper", "Bearer dummy", "not-needed", "x", "xxxx", "sk-xxx", "***", "...", "unused",
]  # fmt: skip


@pytest.mark.parametrize("value", PLACEHOLDERS)
@pytest.mark.parametrize("foreign", Foreign)
def test_a_placeholder_is_no_key_whatever_foreign_says(foreign: Foreign, value: str) -> None:
    applied = vault(foreign).apply(TARGET, (("Authorization", value), ("x-api-key", value)))
    assert applied.headers == (("Authorization", SECRET),)
    assert applied.foreign is None


@pytest.mark.parametrize("value", [OWN, f"Bearer {OWN}", "none1", "sk-placeholder-7", "x y", "Basic dXNlcjpwYXNz", "é"])
def test_a_key_that_is_none_of_them_counts_as_one(value: str) -> None:
    assert vault().apply(TARGET, (("Authorization", value),)).foreign is not None
    with pytest.raises(ForeignCredential) as caught:
        vault(Foreign.DENY).apply(TARGET, (("Authorization", value),))
    assert caught.value.reason is Reason.FOREIGN_CREDENTIAL
    assert caught.value.fingerprint == vault().fingerprint(value)
    assert value not in str(caught.value)


def test_deny_finds_a_key_behind_a_placeholder() -> None:
    with pytest.raises(ForeignCredential):
        vault(Foreign.DENY).apply(TARGET, (("Authorization", "none"), ("x-api-key", OWN)))


def test_allow_lets_the_containers_key_pass_and_adds_none() -> None:
    headers = (("Authorization", f"Bearer {OWN}"),)
    prepared = vault(Foreign.ALLOW)
    applied = prepared.apply(TARGET, headers)
    assert applied.headers == headers
    assert applied.foreign == prepared.fingerprint(OWN)


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
    assert prepared.apply(TARGET, ()).headers == ()
    with pytest.raises(CredentialUnavailable, match="NONE"):
        prepared.apply(Target(Scheme.HTTPS, "a.example", 443), ())


def test_one_host_in_two_spellings_is_refused() -> None:
    config = CredentialConfig(value=SecretTemplate("x"))
    with pytest.raises(ConfigError, match=r"^credentials\.A\.example: .*twice"):
        Vault.load({"a.example": config, "A.example": config}, {}, KEY)


def test_an_unknown_reference_is_refused_at_load_without_showing_the_value() -> None:
    config = CredentialConfig(value=SecretTemplate("s3cret ${vault:x}"))
    with pytest.raises(ConfigError, match=r"^credentials\.a\.example\.value: ") as caught:
        Vault.load({"a.example": config}, {}, KEY)
    assert "s3cret" not in str(caught.value)


NAMES = st.sampled_from(["Authorization", "X-API-Key", "api_key", "x-goog-api-key", "Accept", "Cookie"])


@given(st.lists(st.tuples(NAMES, st.text(max_size=8))).map(tuple), st.sampled_from([Foreign.STRIP, Foreign.DENY]))
def test_the_only_credential_that_leaves_is_the_gateways(
    headers: tuple[tuple[str, str], ...], foreign: Foreign
) -> None:
    try:
        applied = vault(foreign).apply(TARGET, headers)
    except ForeignCredential:
        return
    kept = [field for field in headers if field[0] in {"Accept", "Cookie"}]
    assert applied.headers == (*kept, ("Authorization", SECRET))


def test_shows_nothing() -> None:
    prepared = vault()
    assert "s3cret" not in f"{prepared!r} {prepared._entries!r} {prepared.apply(TARGET, ())!r}"


def test_a_secret_is_taken_out_of_what_comes_back_whole_or_without_its_scheme() -> None:
    vault = Vault.load(
        {"api.example.com": CredentialConfig(value=SecretTemplate("Bearer q7-no-known-shape"))}, {}, b"key"
    )
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
    assert vault.without_secret("api.example.com", Message(body=b"the abc")).body == b"the abc"
