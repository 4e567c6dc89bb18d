import re
from pathlib import Path

import pytest

from gatekeeper.config import Action, ConfigError, parse_config
from gatekeeper.config.check import listen_address

FILE = Path("/etc/gatekeeper/config.toml")
RULE = '[[rules]]\nname = "a"\naction = "allow"\n'
HOLD = '[[rules]]\nname = "a"\naction = "hold"\nreviewers = ["leads"]\n'
REQUIRE = '[[rules]]\nname = "a"\naction = "hold"\nrequire = [{}]\n'
GROUPS = '[approvals.groups]\nleads = ["alice", "bob"]\n'
ISSUER = '[[identity.issuers]]\nissuer = "https://a.example"\njwks = "a.json"\n'
CREDENTIAL = '[credentials."api.example.com"]\nvalue = "${env:KEY}"\n'

FAULTS = [
    ('[proxy]\nlisten = "8080"', "proxy.listen: expected host:port, got '8080'"),
    ('[proxy]\nlisten = "localhost:http"', "proxy.listen: expected host:port"),
    ('[proxy]\nlisten = "localhost:65536"', "proxy.listen: expected host:port"),
    ("[proxy]\nworkers = 2", "proxy.workers: this version runs one process"),
    ('[admin]\nlisten = "127.0.0.1:9000"', "admin.listen: this version listens on a Unix socket only"),
    ("[egress]\nports = [443, 0]", "egress.ports[1]: 0 is no port"),
    ('[egress]\nprivate_networks = ["10.0.0.1/8"]', "egress.private_networks[0]: 10.0.0.1/8 has host bits set"),
    (ISSUER + 'algorithms = ["HS256"]', "identity.issuers[0].algorithms: HS256: only"),
    (ISSUER + 'algorithms = ["none"]', "identity.issuers[0].algorithms: none: only"),
    (ISSUER + "algorithms = []", "identity.issuers[0].algorithms: names none"),
    (ISSUER + ISSUER, "identity.issuers[1].issuer: is named twice"),
    (RULE + 'hosts = ["a.*.com"]', "rules[0].hosts[0]: 'a.*.com': expected a host name"),
    (RULE + 'hosts = ["https://a.com"]', "rules[0].hosts[0]: 'https://a.com': expected a host name"),
    (RULE + 'hosts = ["*"]', "rules[0].hosts[0]: '*': expected a host name"),
    (RULE + "ports = [70000]", "rules[0].ports[0]: 70000 is no port"),
    (RULE + 'methods = ["get"]', "rules[0].methods[0]: 'get': methods are written in upper case"),
    (RULE + 'methods = [""]', "rules[0].methods[0]: '': methods are written in upper case"),
    (RULE + 'paths = ["v1/*"]', "rules[0].paths[0]: 'v1/*': a path begins with /"),
    (RULE + 'reviewers = ["leads"]', "rules[0].reviewers: a rule with action 'allow' asks nobody"),
    (RULE + RULE, "rules[1].name: another rule is named 'a' too"),
    (HOLD.replace('reviewers = ["leads"]', ""), "rules[0].reviewers: a rule that holds must name a group"),
    (HOLD, "rules[0].reviewers[0]: 'leads' is no group of [approvals.groups]"),
    (HOLD + "quorum = 3\n" + GROUPS, "rules[0].quorum: 3 can't be met by 2 reviewers"),
    (HOLD + "quorum = 0\n" + GROUPS, "rules[0].quorum: 0 can't be met"),
    (HOLD + 'require = [{ reviewers = ["leads"] }]\n' + GROUPS, "rules[0].require: takes the place of reviewers"),
    (REQUIRE.format('{ reviewers = ["x"] }') + GROUPS, "rules[0].require[0].reviewers[0]: 'x' is no group"),
    (REQUIRE.format("{ reviewers = [] }") + GROUPS, "rules[0].require[0].reviewers: must name a group"),
    (REQUIRE.format('{ reviewers = ["leads"], quorum = 3 }') + GROUPS, "rules[0].require[0].quorum: 3 can't be met"),
    (
        REQUIRE.format('{ reviewers = ["leads"], quorum = 2 }, { reviewers = ["leads"] }') + GROUPS,
        "rules[0].require: can't be met",
    ),
    (RULE + 'require = [{ reviewers = ["leads"] }]\n' + GROUPS, "rules[0].require: a rule with action 'allow' asks"),
    ("[approvals]\nmax_pending = 0", "approvals.max_pending: 0 would hold nothing"),
    (HOLD + 'wait = "2h"\n' + GROUPS, "rules[0].wait: 2h is longer than timeout (1h)"),
    ('[masking.request]\nupstream = "hide"', "masking.request.upstream: 'hide' is no operator"),
    ('[masking.request.upstream]\nUS_SSN = "hide"', "masking.request.upstream.US_SSN: 'hide' is no operator"),
    ("[masking.pseudonyms]\nlimit = 0", "masking.pseudonyms.limit: expected 1 or more"),
    ('[masking.response]\ndefault = { operator = "hash", keep_last = 4 }', "masking.response.default: hash takes no"),
    ('[masking.response]\ndefault = { operator = "mask", keep_last = -1 }', "masking.response.default: keep_first and"),
    ('[masking.response]\ndefault = { operator = "mask", character = "" }', "masking.response.default: character:"),
    ('[journal]\norigin = "a b"', "journal.origin: must hold neither white space nor +"),
    ('[journal]\nsegment_size = "1023KiB"', "journal.segment_size: 1023KiB is too small"),
    ('[journal]\norigin = "a+b"', "journal.origin: must hold neither white space nor +"),
    (CREDENTIAL.replace("api.", "*."), "credentials.*.example.com: expected one exact host name"),
    (CREDENTIAL + 'header = "Host"', "credentials.api.example.com.header: Host can't carry a credential"),
    (CREDENTIAL + 'header = "Proxy-Authorization"', "credentials.api.example.com.header: Proxy-Authorization can't"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS)
def test_a_fault_is_one_line_with_file_key_and_what_to_do(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, FILE)
    assert str(caught.value).startswith(f"{FILE}: {message}")
    assert "\n" not in str(caught.value)


GOOD = [
    RULE
    + 'hosts = ["api.example.com", "*.example.com", "EXAMPLE.com.", "10.0.0.1", "::1", "[2001:db8::1]", "my_host"]',
    RULE + 'ports = [1, 65535]\nmethods = ["GET", "POST"]\npaths = ["/", "/v1/*"]',
    HOLD + "quorum = 2\n" + GROUPS,
    HOLD + 'wait = "1h"\n' + GROUPS,
    '[masking.request.upstream]\nUS_SSN = "redact"',
    '[masking.response]\ndefault = { operator = "mask", keep_first = 1, keep_last = 4, character = "#" }',
    '[masking.response]\ndefault = { operator = "hash" }',
    '[proxy]\nlisten = "[::1]:8080"',
    '[egress]\nprivate_networks = ["10.0.0.0/8", "fd00::/8"]',
    ISSUER + CREDENTIAL,
]


@pytest.mark.parametrize("text", GOOD)
def test_what_makes_sense_passes(text: str) -> None:
    parse_config(text, FILE)


def test_a_pattern_is_left_to_the_policy_whose_engine_it_is_for() -> None:
    rule = parse_config(RULE + "prompt = ['\\pL+']", FILE).rules[0]
    assert rule.action is Action.ALLOW


@pytest.mark.parametrize(
    ("listen", "address"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:0", ("::1", 0)), ("localhost:65535", ("localhost", 65535))],
)
def test_a_listener_is_host_and_port(listen: str, address: tuple[str, int]) -> None:
    assert listen_address(listen) == address


@pytest.mark.parametrize("listen", ["", ":8080", "localhost", "localhost:", "localhost:-1"])
def test_what_is_no_listener_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match=re.escape("expected host:port")):
        listen_address(listen)
