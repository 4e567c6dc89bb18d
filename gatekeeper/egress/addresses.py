"""Which addresses may be connected to: public ones, private ones where the configuration says so. Pure."""

import functools
import ipaddress
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

from gatekeeper.exchange import Reason

type Address = IPv4Address | IPv6Address
type Networks = tuple[IPv4Network | IPv6Network, ...]


class AddressRefused(ValueError):
    """The address must not be connected to. The text doesn't name it: the caller would learn of inner networks."""

    reason: Final = Reason.ADDRESS_REFUSED


@functools.lru_cache(maxsize=16)
def read_networks(texts: tuple[str, ...]) -> Networks:
    """Parse CIDRs, as `egress.private_networks` has them; raises ValueError."""
    return tuple(ipaddress.ip_network(text) for text in texts)


# Services that hand out a machine's own credentials, and links that have no business beyond them.
METADATA: Final = read_networks(
    (
        "169.254.0.0/16",  # link-local: 169.254.169.254 (AWS, GCP, Azure, OCI …), 169.254.170.2 and .23 (ECS, EKS)
        "fe80::/10",  # link-local: OpenStack's fe80::a9fe:a9fe
        "fd00:ec2::/32",  # AWS, EKS
        "fd20:ce::254/128",  # GCP
        "fd00:42::42/128",  # Scaleway
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's wire server, in public space
        "192.0.0.192/32",  # Oracle Cloud, classic
    )
)
# What is no destination at all: this host, many hosts, nobody (RFC 6890, RFC 5771, RFC 4291 §2.5.2, §2.7).
NOWHERE: Final = read_networks(("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8"))
# Beyond what `is_global` knows: unicast that no provider's API is at (IANA special-purpose registries).
_SPECIAL: Final = read_networks(
    (
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.175.48.0/24",
        "2001::/23",  # Teredo, ORCHID, benchmarking, and anycast within it
        "2001:db8::/32",
        "2002::/16",  # 6to4, deprecated (RFC 7526)
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")  # all that is assigned for it (RFC 3587 §3)

# Prefixes whose last 32 bits are an IPv4 address: mapped and compatible (RFC 4291 §2.5.5), translated (RFC 2765
# §2.1), NAT64 (RFC 6052 §2.1, RFC 8215).
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_NAT64_LOCAL: Final = IPv6Network("64:ff9b:1::/48")
_TAILED: Final = (_MAPPED, IPv6Network("::/96"), IPv6Network("::ffff:0:0:0/96"), _NAT64, _NAT64_LOCAL)
_NOT_COMPATIBLE: Final = (IPv6Address("::"), IPv6Address("::1"))
_ISATAP: Final = {0x00005EFE, 0x02005EFE}  # RFC 5214 §6.1


def check_address(ip: str, private_networks: tuple[str, ...]) -> None:
    """Refuse an address that is not public, or carries an IPv4 address that is not; raises AddressRefused.

    `private_networks`, CIDRs, may be reached although not public. Metadata services, link-local, multicast and
    unspecified addresses never are, whatever stands there.
    """
    try:
        address = ipaddress.ip_address(ip)
    except ValueError as error:
        msg = "the host's address can't be read"
        raise AddressRefused(msg) from error
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        msg = "the host's address belongs to one link of this machine (zone)"
        raise AddressRefused(msg)
    allowed = read_networks(private_networks)
    for face in _faces(address):
        _check(face, allowed)


def _check(address: Address, private_networks: Networks) -> None:
    if _within(address, METADATA):
        msg = "the host's address is link-local or a metadata service, which is never reached"
        raise AddressRefused(msg)
    if _within(address, NOWHERE):
        msg = "the host's address is no single host (unspecified, multicast or reserved)"
        raise AddressRefused(msg)
    if not _public(address) and not _within(address, private_networks):
        msg = "the host's address is not public; egress.private_networks names those that may be reached all the same"
        raise AddressRefused(msg)


def _faces(address: Address) -> Iterator[Address]:
    """Give all that an address may mean on its way: itself, and every IPv4 address inside it."""
    if isinstance(address, IPv4Address):
        yield address
        return
    bits = int(address)
    if address not in _MAPPED:  # a mapped address is an IPv4 address and nothing else
        yield address
    tailed = any(address in network for network in _TAILED) and address not in _NOT_COMPATIBLE
    if tailed or (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(bits & 0xFFFFFFFF)
    if address in _NAT64_LOCAL:
        # A /48 prefix puts the address around the reserved octet 8 (RFC 6052 §2.2).
        yield IPv4Address((bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return True  # what counts is the IPv4 address inside
        if address not in _GLOBAL_UNICAST:
            return False
    return address.is_global and not _within(address, _SPECIAL)


def _within(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)
