import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.config import ConfigError
from gatekeeper.policy.hosts import HostIndex, address_of, plain_name


def numbers(index: HostIndex, host: str) -> list[int]:
    return [number for number, _ in index.candidates(host)]


RULES = [
    ("api.example.com", "other.example.com"),
    ("*.example.com",),
    (),
    ("*.eu.example.com", "*.com"),
    ("10.0.0.1", "[2001:DB8::1]"),
    ("API.Example.COM.",),
]


@pytest.mark.parametrize(
    ("host", "rules"),
    [
        ("api.example.com", [0, 1, 2, 3, 5]),
        ("API.EXAMPLE.com.", [0, 1, 2, 3, 5]),
        ("other.example.com", [0, 1, 2, 3]),
        ("deep.down.example.com", [1, 2, 3]),
        ("a.eu.example.com", [1, 2, 3]),
        ("example.com", [2, 3]),
        ("com", [2]),
        ("notexample.org", [2]),
        ("badexample.com", [2, 3]),
        ("10.0.0.1", [4]),
        ("2001:db8::1", [4]),
        ("2001:db8:0:0:0:0:0:1", [4]),
        ("10.0.0.2", []),
        ("::1", []),
        ("::ffff:10.0.0.1", []),
        ("127.1", []),
        ("0x7f000001", []),
        ("2130706433", []),
        ("a.example.0x1", []),
    ],
)
def test_a_host_finds_its_rules_in_order(host: str, rules: list[int]) -> None:
    assert numbers(HostIndex(RULES), host) == rules


def test_the_closest_pattern_is_the_one_named() -> None:
    index = HostIndex([("*.com", "*.example.com", "api.example.com"), ()])
    assert index.candidates("api.example.com") == ((0, "api.example.com"), (1, ""))
    assert index.candidates("b.example.com") == ((0, "*.example.com"), (1, ""))
    assert index.candidates("b.org") == ((1, ""),)


@pytest.mark.parametrize("host", ["*", "a.*.com", "*.*.com", "api*.example.com", "", "."])
def test_a_star_that_does_not_lead_is_refused_with_its_place(host: str) -> None:
    with pytest.raises(ConfigError, match=r"^rules\[1\]\.hosts\[1\]: "):
        HostIndex([(), ("a.com", host)])


LABELS = st.lists(st.sampled_from(["a", "b", "com"]), min_size=1, max_size=4).map(".".join)
PATTERNS = LABELS | LABELS.map(lambda name: f"*.{name}")


def matches(pattern: str, host: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


@given(st.lists(st.lists(PATTERNS, max_size=3).map(tuple), max_size=6), LABELS)
def test_the_index_agrees_with_a_search_through_all_rules(rules: list[tuple[str, ...]], host: str) -> None:
    found = HostIndex(rules).candidates(host)
    assert [number for number, _ in found] == [
        number for number, hosts in enumerate(rules) if not hosts or any(matches(pattern, host) for pattern in hosts)
    ]
    assert all(matches(pattern, host) and pattern in rules[number] for number, pattern in found if pattern)


@given(st.ip_addresses().map(str))
def test_an_address_is_never_reached_without_being_named(address: str) -> None:
    index = HostIndex([(), ("*.com",), (address,)])
    assert numbers(index, address) == [2]


@pytest.mark.parametrize("name", ["example.com", "1.2.3.4.example", "0x1.example", "a-1.b2"])
def test_names_are_no_addresses(name: str) -> None:
    assert address_of(name) is None


def test_a_name_has_one_spelling() -> None:
    assert plain_name("Api.EXAMPLE.com.") == "api.example.com"
