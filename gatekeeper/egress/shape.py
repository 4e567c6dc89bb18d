"""What a request may ask of its upstream: a known method, on the path and host that the rules saw. Pure."""

import re
from collections.abc import Iterable
from typing import Final, Self

import msgspec

from gatekeeper.config import RuleConfig
from gatekeeper.exchange import Headers, Reason

STANDARD: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # RFC 9110 §9.1, RFC 5789
# TRACE and TRACK have the upstream repeat the request, the secret that was put in included (RFC 9110 §9.3.8).
NEVER: Final = frozenset({"CONNECT", "TRACE", "TRACK", "PRI"})

# Frameworks take method, path or host from these instead: a rule on the real ones would be passed by.
OVERRIDES: Final = frozenset(
    {"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url",
     "x-original-uri", "x-rewrite-uri", "x-override-url", "x-original-method", "x-original-host",
     "x-http-host-override", "x-http-destinationurl"}
)  # fmt: skip
# What a proxy says of itself: from a container it is never true.
OF_PROXIES: Final = frozenset(
    {"forwarded", "via", "x-forwarded-host", "x-forwarded-server", "x-forwarded-for", "x-forwarded-proto",
     "x-forwarded-port", "x-forwarded-prefix", "x-forwarded-uri", "x-forwarded-method", "x-host", "x-real-ip",
     "true-client-ip", "x-client-ip", "cf-connecting-ip", "alt-used"}
)  # fmt: skip

DNS_MEDIA: Final = frozenset(  # RFC 8484 §6, RFC 9230, and what Google and Cloudflare made up before
    {"application/dns-message", "application/oblivious-dns-message", "application/dns-udpwireformat",
     "application/dns-json", "application/dns+json"}
)  # fmt: skip
# Public resolvers over HTTPS: a way for names, and for data in names, that no rule of ours would see.
DNS_HOSTS: Final = frozenset(
    {"dns.google", "dns.google.com", "dns64.dns.google", "8888.google", "cloudflare-dns.com", "one.one.one.one",
     "1dot1dot1dot1.cloudflare-dns.com", "mozilla.cloudflare-dns.com", "chrome.cloudflare-dns.com",
     "security.cloudflare-dns.com", "family.cloudflare-dns.com", "dns64.cloudflare-dns.com",
     "odoh.cloudflare-dns.com", "dns.quad9.net", "dns9.quad9.net", "dns10.quad9.net", "dns11.quad9.net",
     "doh.opendns.com", "doh.familyshield.opendns.com", "doh.umbrella.com", "dns.adguard.com", "dns.adguard-dns.com",
     "unfiltered.adguard-dns.com", "family.adguard-dns.com", "dns.nextdns.io", "firefox.dns.nextdns.io",
     "doh.cleanbrowsing.org", "dns.mullvad.net", "base.dns.mullvad.net", "doh.dns.sb", "dns.sb", "doh.li",
     "doh.applied-privacy.net", "dns.digitale-gesellschaft.ch", "dns.switch.ch", "doh.ffmuc.net", "dns.alidns.com",
     "doh.pub", "doh.360.cn", "dns.twnic.tw", "doh.xfinity.com", "ordns.he.net", "freedns.controld.com",
     "dns.controld.com", "doh.mullvad.net", "resolver-eu.lelux.fi", "public.dns.iij.jp", "jp.tiar.app",
     "dns0.eu", "zero.dns0.eu", "dns.njal.la", "dns.brahma.world", "doh.tiar.app"}
)  # fmt: skip
_DNS_QUERY: Final = re.compile(r"(?:^|&)dns=")


class ShapeError(ValueError):
    """A request that is not passed on whatever the rules say. The text is for people and quotes nothing."""

    def __init__(self, status: int, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.reason = reason


class Shapes(msgspec.Struct, frozen=True):
    """What the rules name, and may so have passed: methods beyond the standard ones, resolvers."""

    methods: frozenset[str]
    hosts: frozenset[str]

    @classmethod
    def of(cls, rules: Iterable[RuleConfig]) -> Self:
        """Take from the rules what they name."""
        named = tuple(rules)
        return cls(
            frozenset(method for rule in named for method in rule.methods),
            frozenset(host.lower().removesuffix(".") for rule in named for host in rule.hosts),
        )

    def check(self, method: str, host: str, path: str, query: str, headers: Headers) -> None:
        """Raise ShapeError for a request that could mean something else upstream than it says here."""
        check_method(method, self.methods)
        check_overrides(headers)
        check_expectation(headers)
        if host not in self.hosts:
            check_resolver(host, path, query, headers)


def check_method(method: str, named: frozenset[str]) -> None:
    """Take standard methods and those that a rule names."""
    if method in NEVER or (method not in STANDARD and method not in named):
        text = f"the method is none of {', '.join(sorted(STANDARD))}, and no rule names it in `methods`"
        raise ShapeError(400, Reason.MALFORMED, text)


def check_overrides(headers: Headers) -> None:
    """Refuse fields that change method, path or host behind the rules' back."""
    for name, _ in headers:
        if name.lower().replace("_", "-") in OVERRIDES:
            text = "a header overrides method, path or host; send the request as it is meant"
            raise ShapeError(400, Reason.MALFORMED, text)


def check_expectation(headers: Headers) -> None:
    """Take the one expectation there is (RFC 9110 §10.1.1)."""
    if any(name.lower() == "expect" and value.strip().lower() != "100-continue" for name, value in headers):
        raise ShapeError(417, Reason.MALFORMED, "the only expectation known is 100-continue")


def check_resolver(host: str, path: str, query: str, headers: Headers) -> None:
    """Refuse DNS over HTTPS (RFC 8484): by the resolver's name, by the media type, by the form of the call."""
    media = {
        value.partition(";")[0].strip().lower()
        for name, values in headers
        if name.lower() in {"content-type", "accept"}
        for value in values.split(",")
    }
    if host in DNS_HOSTS or media & DNS_MEDIA or (path.endswith("/dns-query") or _DNS_QUERY.search(query)):
        text = "DNS over HTTPS leads round the gateway; a rule that names this host exactly lets it pass"
        raise ShapeError(403, Reason.DNS_OVER_HTTPS, text)
