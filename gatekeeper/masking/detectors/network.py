"""E-mail addresses, addresses of machines, and what stands in URLs."""

import ipaddress
import re
from typing import Final

from phonenumbers import SUPPORTED_REGIONS

from gatekeeper.masking.detector import Detector

# A file's ending or a unit's, where a top-level domain would stand: `icon@2x.png`, `getty@tty1.service`.
_NO_DOMAIN: Final = re.compile(
    r"(?i)\.(?:png|jpe?g|gif|webp|svg|ico|css|js|mjs|jsx|tsx?|json|html?|xml|ya?ml|toml|txt|pdf|map|lock|log|csv|docx?|xlsx?|eml|"
    r"release|final|snapshot|jre|cmake|tar|po|pot|header|service|timer|socket|mount|slice|scope|target|whl|tgz|gz|zip|jar|rb|py|go|java|conf|cfg|ini|bak|tmp|md|rs)$"
)
# The user of a repository, and algorithms of SSH: `chacha20-poly1305@openssh.com`.
_NO_PERSON: Final = re.compile(r"(?i)(?:git|hg|svn|gitea)@|[a-z0-9-]*\d[a-z0-9-]*@(?:openssh\.com|libssh\.org)\Z")
_TOP_LEVEL: Final = frozenset({"com", "org", "net", "edu", "gov", "mil", "int", "info", "biz", "uk", "eu"}) | {
    region.lower() for region in SUPPORTED_REGIONS
}


def email(match: str) -> int:
    """Leave out what has the form of an address and is none: remotes of repositories, files, units.

    In the name of a file, `ada@example.com.txt`, the address ends before what says which kind of file it is.
    """
    if _NO_PERSON.match(match):
        return 0
    if (ending := _NO_DOMAIN.search(match)) is None:
        return len(match)
    name, _, last = match[: ending.start()].rpartition(".")
    if "@" in name:
        return ending.start() if last.lower() in _TOP_LEVEL else 0
    return len(match) if ending[0].lower() in _ALSO_DOMAINS else 0


_ALSO_DOMAINS: Final = frozenset({".rs", ".md"})  # Serbia's and Moldova's, and who names a file `x@y.md`?


_NOBODY_V4: Final = frozenset({"127.0.0.1", "0.0.0.0", "255.255.255.255"})  # noqa: S104 - nothing is bound here
_NETMASK: Final = re.compile(r"255\.(?:255|254|252|248|240|224|192|128|0)\.(?:\d+)\.(?:\d+)")


_WELL_KNOWN: Final = frozenset({"1.1.1.1", "8.8.8.8", "8.8.4.4", "9.9.9.9", "1.2.3.4", "4.4.4.4", "1.0.0.1"})
_LARGE: Final = 32
_MACHINE: Final = 31  # RFC 3021: from here on both addresses of a network are machines


def ipv4(match: str) -> int:
    """Leave out this machine, everyone, and masks, which are nobody's address, and what counts like a version."""
    address = match.partition("/")[0]
    if address in _WELL_KNOWN:
        return len(match)
    octets = [int(octet) for octet in address.split(".")]
    counting = max(octets) < _LARGE and octets[0] != _PRIVATE
    return 0 if counting else ipv4_in_context(match)


def ipv4_in_context(match: str) -> int:
    """Leave out this machine, everyone, and masks: they are nobody's address."""
    address, _, bits = match.partition("/")
    nobody = address in _NOBODY_V4 or address.startswith("0.") or _NETMASK.fullmatch(address)
    return 0 if nobody or (bits and _is_network(address, int(bits))) else len(match)


def _is_network(address: str, bits: int) -> bool:
    """Tell whether it is the address of a network rather than of a machine in it: `10.0.0.0/8`."""
    return bits < _MACHINE and not int(ipaddress.IPv4Address(address)) & (1 << 32 - bits) - 1


_PRIVATE: Final = 10


_COLONS: Final = 7
_LEAST_HEX: Final = 5
_PAIRS: Final = re.compile(r"\w{1,2}(?::\w{1,2}){7}")  # a name of eight bytes (a WWN, a serial number), or a ratio
_END: Final = re.compile(r"[:.]+\Z|/\d*\Z|%\w*\Z")


def ipv6(match: str) -> int:
    """Find the address at the start; `std::vec` and `a::b` are names in programs, `::1` is this machine."""
    text = match
    while "::" in text or text.count(":") >= _COLONS - 1:
        if address := _ipv6(text):
            if _PAIRS.fullmatch(address):
                return 0
            hex_digits = sum(char not in ":." for char in address)
            whole = "::" not in address
            telling = hex_digits >= _LEAST_HEX and any(map(str.isdigit, address))
            return len(text) if (whole or telling) and address not in {"::1", "::"} else 0
        shorter = _END.sub("", text)
        if shorter == text:
            return 0
        text = shorter
    return 0


def _ipv6(text: str) -> str:
    address = text.partition("/")[0].partition("%")[0]
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return ""
    return address


def mac(match: str) -> int:
    """Leave out no card's and every card's address."""
    digits = re.sub(r"[^0-9a-fA-F]", "", match).lower()
    return 0 if digits in {"0" * 12, "f" * 12} or digits.endswith("0" * 8) else len(match)


def credentials(match: str) -> int:
    """Leave out placeholders: `user:password`, `${USER}:${PASSWORD}`, `<user>:<pass>`."""
    user, _, password = match.partition(":")
    return 0 if _PLACEHOLDER.match(password) or (not user and not password) else len(match)


_PLACEHOLDER: Final = re.compile(r"(?i)[$<{%*]|(?:password|passwd|pass|pw|secret|token|xxx+)\Z|‹")

_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_VERSION_WORDS: Final = (
    r"v|versions?|ver|releases?|rel|builds?|firmware|drivers?|upgraded?|bump(?:ed|s)?|packages?|sdk|oid|object ?id(?:entifier)?|"
    r"section|chapter|ec(?: number)?|std|clause|figure|fig|article|appendix|paragraph|requires?|assembly\w*|"
    r"chrome|firefox|safari|edg|edge|openssl|libs?|patch|nuget|dll|版本|バージョン|버전"
)
_HEX: Final = "[0-9A-Fa-f]"

NETWORK: Final = (
    Detector(
        entity="EMAIL_ADDRESS",
        form="address",
        # RFC 5321 §4.5.3.1 bounds the lengths; what quoting would allow nobody uses. Not what stands before a URL's host.
        pattern=r"(?<!\w)(?<!://)(?<!\w[.+%'-])(?<!://[^\s/@:]{1,32}:[^\s/@]{0,32})\w[\w.+%'-]{0,63}"
        r"@(?:\w(?:[\w-]{0,61}\w)?\.){1,8}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,59})(?!\w)(?!\.\d)",
        gate=r"[\w.+%'?-]@[\w?]",
        shape=r"(?:\b\w|[?])[\w.+%'?-]{0,63}@[^\s@]+\.[^\s@]",
        validate=email,
        validator="email",
        priority=5,
    ),
    Detector(
        entity="URL_CREDENTIALS",
        form="user and password",
        pattern=r"(?<=[A-Za-z0-9]://)[^\s/@:\"'<>?#\\]{0,64}:[^\s/@\"'<>\\]{1,128}(?=@[\w\[])",
        gate=r"[A-Za-z0-9]://[^\s/]{0,64}:[^\s/]{0,128}@",
        shape=r"://[^\s/@:\"'<>#]{0,64}:[^\s/@\"'<>]{1,128}@",
        validate=credentials,
        validator="credentials",
        lead=3,
        priority=8,
    ),
    Detector(
        entity="IP_ADDRESS",
        form="version 4",
        pattern=rf"(?<![\w+§])(?<!§ )(?<![A-Za-z_.]-)(?<!\d\.)(?<![a-zA-Z0-9]/)(?<![~^=]=?)(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?\d)(?!\d))?"
        r"(?!\w)(?!\.\w)(?!-[A-Za-z])",
        gate=r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
        numeric=True,
        validate=ipv4,
        validator="ipv4",
        against=_VERSION_WORDS,
        priority=4,
    ),
    Detector(
        entity="IP_ADDRESS",
        form="version 4, after =",
        pattern=rf"(?<=[\w\"']=[\"']?)(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?\d)(?!\d))?(?!\w)(?!\.\w)(?!-\w)",
        gate=r"=[\"']?\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
        validate=ipv4,
        validator="ipv4",
        lead=2,
        against=_VERSION_WORDS,
        priority=4,
    ),
    Detector(
        entity="IP_ADDRESS",
        form="version 4, after its words",
        pattern=rf"(?<![\w+.])(?:{_OCTET}\.){{3}}{_OCTET}(?:/(?:3[0-2]|[12]?\d)(?!\d))?(?!\w)(?!\.\w)(?!-[A-Za-z])",
        gate=r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b",
        numeric=True,
        validate=ipv4_in_context,
        validator="ipv4_in_context",
        context=r"ip(?:v4)?(?: ?addr(?:ess(?:es)?)?)?|remote ?addr|client ?ip|host|address|inet|src|dst|ping|peer|x-forwarded-for",
        within=24,
        against=_VERSION_WORDS,
        priority=5,
    ),
    Detector(
        entity="IP_ADDRESS",
        form="version 6",
        pattern=rf"(?<![\w:.])(?:{_HEX}{{1,4}}|:)(?::{_HEX}{{0,4}}){{1,8}}(?:\.\d{{1,3}}){{0,3}}(?:%\w{{1,15}})?(?:/\d{{1,3}})?(?!\w)",
        gate=rf"(?:\b{_HEX}{{1,4}})?(?::{_HEX}{{1,4}}){{0,6}}::|\b{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{5}}(?::{_HEX}{{1,4}}:{_HEX}{{1,4}}|:\d{{1,3}}\.)",
        validate=ipv6,
        validator="ipv6",
        cost=500,
        priority=4,
    ),
    Detector(
        entity="MAC_ADDRESS",
        form="six pairs",
        pattern=rf"(?<![\w.-])(?<!{_HEX}{{2}}:){_HEX}{{2}}([:-])(?:{_HEX}{{2}}\1){{4}}{_HEX}{{2}}(?![\w:])(?!-\w)(?!\.\d)",
        gate=rf"\b{_HEX}{{2}}[:-]{_HEX}{{2}}[:-]{_HEX}{{2}}[:-]{_HEX}{{2}}[:-]{_HEX}{{2}}[:-]{_HEX}{{2}}\b",
        validate=mac,
        validator="mac",
        priority=5,
    ),
    Detector(
        entity="MAC_ADDRESS",
        form="three groups with dots",
        pattern=rf"(?<![\w.]){_HEX}{{4}}\.{_HEX}{{4}}\.{_HEX}{{4}}(?![\w:])(?!\.\w)",
        gate=rf"\b{_HEX}{{4}}\.{_HEX}{{4}}\.{_HEX}{{4}}\b",
        validate=lambda match: mac(match) if re.search("[a-fA-F]", match) else 0,
        validator="mac",
        priority=5,
    ),
    Detector(
        entity="MAC_ADDRESS",
        form="twelve digits after its words",
        pattern=rf"(?<!\w){_HEX}{{12}}(?!\w)",
        gate=rf"\b{_HEX}{{12}}\b",
        validate=mac,
        validator="mac",
        context=r"mac(?: ?addr(?:ess)?)?|hwaddr|hardware address|physical address|ether",
        within=24,
        priority=5,
    ),
    Detector(
        entity="UUID",
        form="8-4-4-4-12",
        pattern=rf"(?<![\w-]){_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}(?!\w)(?!-\w)",
        gate=rf"\b{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}\b",
        priority=6,
        default=False,
    ),
    Detector(
        entity="URL",
        form="with its scheme, or www.",
        pattern=r"(?<!\w)(?i:https?://|ftp://|www\.)[^\s<>\"'{}|\\^`]{2,1000}(?<![.,;:!?)\]])",
        gate=r"(?i)(?:https?://|ftp://|www\.)[^\s]{2}",
        priority=3,
        default=False,
    ),
    Detector(
        entity="URL",
        form="a host and a path",
        pattern=r"(?<![\w@./-])(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,5}"
        r"(?:com|org|net|edu|gov|io|co|ai|dev|app|info|biz|me|ly|us|uk|de|fr|es|it|nl|eu|ca|au|in|jp|cn|br|ch)"
        r"(?:/[^\s<>\"'{}|\\^`]{0,500}(?<![.,;:!?)\]]))?(?![\w@-])",
        gate=r"[A-Za-z0-9]\.[A-Za-z0-9]",
        shape=r"\b[A-Za-z0-9-]{1,63}\.[A-Za-z0-9.-]{0,200}[a-z]{2}",
        priority=2,
        default=False,
    ),
)
