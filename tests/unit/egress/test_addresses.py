import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper.egress import AddressRefused, check_address
from gatekeeper.exchange import Reason

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "168.63.129.15",
    "2001:4860:4860::8888",
    "2606:4700::6810:84e5",
    "2a00:1450:4001:81b::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("ip", PUBLIC)
def test_public_addresses_pass(ip: str) -> None:
    check_address(ip, ())


# Not public, and reachable only where the configuration names their network.
PRIVATE = [
    ("10.0.0.1", "10.0.0.0/8"),
    ("172.16.0.1", "172.16.0.0/12"),
    ("172.31.255.255", "172.16.0.0/12"),
    ("192.168.1.1", "192.168.0.0/16"),
    ("127.0.0.1", "127.0.0.0/8"),
    ("127.255.255.254", "127.0.0.0/8"),
    ("100.64.0.1", "100.64.0.0/10"),
    ("192.0.2.1", "192.0.2.0/24"),
    ("198.51.100.1", "198.51.100.0/24"),
    ("203.0.113.1", "203.0.113.0/24"),
    ("198.18.0.1", "198.18.0.0/15"),
    ("192.0.0.9", "192.0.0.0/24"),
    ("192.88.99.1", "192.88.99.0/24"),
    ("192.175.48.1", "192.175.48.0/24"),
    ("::1", "::1/128"),
    ("fc00::1", "fc00::/7"),
    ("fd12:3456::1", "fd12:3456::/32"),
    ("fec0::1", "fec0::/10"),
    ("2001:db8::1", "2001:db8::/32"),
    ("3fff::1", "3fff::/20"),
    ("100::1", "100::/64"),
    ("5f00::1", "5f00::/16"),
    ("4000::1", "4000::/3"),
    ("2001:2::1", "2001:2::/48"),
    ("::ffff:10.0.0.1", "10.0.0.0/8"),
    ("::ffff:127.0.0.1", "127.0.0.0/8"),
    ("64:ff9b::10.0.0.1", "10.0.0.0/8"),
]


@pytest.mark.parametrize(("ip", "network"), PRIVATE)
def test_private_addresses_pass_only_where_named(ip: str, network: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        check_address(ip, ())
    assert caught.value.reason is Reason.ADDRESS_REFUSED
    assert ip not in str(caught.value)
    with pytest.raises(AddressRefused):
        check_address(ip, ("10.200.0.0/16", "fd99::/16"))
    check_address(ip, ("10.200.0.0/16", network))


NEVER = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:42::42",
    "fe80::1",
    "fe80::a9fe:a9fe",
    "fe80::1%eth0",
    "::1%lo",
    "2606:4700::1%eth0",
    "::ffff:169.254.169.254",
    "::169.254.169.254",
    "::ffff:0:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::169.254.169.254",
    "64:ff9b:1:a9fe:a9:fe00::",
    "64:ff9b:1:a9fe:a9:fe00:808:808",
    "2002:a9fe:a9fe::1",
    "2001:0:a9fe:a9fe::1",
    "2001:0:808:808:0:0:5601:5601",
    "2606:4700::5efe:169.254.169.254",
    "2606:4700::200:5efe:169.254.169.254",
    "0.0.0.0",  # noqa: S104 - nothing is bound
    "0.1.2.3",
    "::",
    "::ffff:0.0.0.0",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "ff0e::1",
    "",
    "example.com",
    "127.1",
    "0177.0.0.1",
    "1.1.1.1 ",
    "[::1]",
]


@pytest.mark.parametrize("ip", NEVER)
def test_these_never_pass_whatever_the_configuration_allows(ip: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(ip, ("0.0.0.0/0", "::/0"))


@pytest.mark.parametrize(
    "ip",
    [
        "2002:a00:1::1",
        "2002:808:808::1",
        "2001:0:808:808::1",
        "64:ff9b:1::8.8.8.8",
        "::8.8.8.8",
        "64:ff9b::192.168.0.1",
        "64:ff9b::127.0.0.1",
        "::ffff:192.168.0.1",
        "2606:4700::5efe:10.0.0.1",
        "::ffff:0:8.8.8.8",
    ],
)
def test_ways_through_another_protocol_are_refused(ip: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(ip, ())


@given(st.ip_addresses())
def test_what_passes_is_global_in_all_that_it_carries(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    try:
        check_address(str(address), ())
    except AddressRefused:
        return
    assert address.is_global
    assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_an_address_and_its_mapped_form_fare_alike(address: ipaddress.IPv4Address) -> None:
    def passes(ip: str) -> bool:
        try:
            check_address(ip, ("10.0.0.0/8",))
        except AddressRefused:
            return False
        return True

    assert passes(str(address)) == passes(f"::ffff:{address}") == passes(f"64:ff9b::{address}")
