"""Checks that types can't express: what one key's value means for another's."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from gatekeeper.config.anchors import anchor_problems
from gatekeeper.config.issuers import caller_problems, issuer_problems
from gatekeeper.config.model import (
    Action,
    ClientTls,
    Config,
    CredentialConfig,
    OperatorConfig,
    OperatorName,
    RequireConfig,
    RuleConfig,
)
from gatekeeper.config.quorum import can_seat

HIGHEST_PORT: Final = 65535
LEAST_SEGMENT: Final = 1 << 20
"""Bytes: a beginning segment has some 60 kB, and each that ends is a file to keep."""

_HOST: Final = re.compile(
    r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*\.?", re.IGNORECASE
)
_ORIGIN: Final = re.compile(r"[^\s+]+")

type Problem = tuple[str, str]


def check(config: Config, path: Path, error: Callable[[str], ValueError]) -> Config:
    """Give the configuration back, or raise `error` with the first problem: `file: key: what to do`."""
    for key, problem in _problems(config):
        msg = f"{path}: {key}: {problem}"
        raise error(msg)
    return config


def listen_address(listen: str) -> tuple[str, int]:
    """Split `host:port`, with brackets around an IPv6 address; raises ValueError."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdecimal() or int(port) > HIGHEST_PORT:
        msg = f"expected host:port, got {listen!r}"
        raise ValueError(msg)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _problems(config: Config) -> Iterator[Problem]:
    yield from _listeners(config)
    yield from _egress(config)
    yield from issuer_problems(config)
    names: set[str] = set()
    for number, rule in enumerate(config.rules):
        yield from ((f"rules[{number}].{key}", problem) for key, problem in _rule(rule, config))
        yield from caller_problems(number, rule, config)
        if rule.name in names:
            yield (
                f"rules[{number}].name",
                f"another rule is named {rule.name!r} too; a verdict could not tell them apart",
            )
        names.add(rule.name)
    yield from _approvals(config)
    yield from _masking(config)
    yield from anchor_problems(config)
    if not _ORIGIN.fullmatch(config.journal.origin):
        yield "journal.origin", "must hold neither white space nor +"
    if config.journal.segment_size < LEAST_SEGMENT:
        yield "journal.segment_size", f"{config.journal.segment_size} is too small; segments have 1MiB at least"
    for host, credential in config.credentials.items():
        yield from ((f"credentials.{host}{key}", problem) for key, problem in _credential(host, credential))


def _credential(host: str, credential: CredentialConfig) -> Iterator[Problem]:
    if not _HOST.fullmatch(host) or host.startswith("*"):
        yield "", "expected one exact host name"
    if credential.header.lower() in {"host", "proxy-authorization", "content-length", "transfer-encoding"}:
        yield ".header", f"{credential.header} can't carry a credential"
    if (credential.value is None) == (credential.aws is None):
        yield ".value", "a credential has either a `value` or a table `aws`"
    ways = [credential.query and "query", credential.basic and "basic", credential.aws and "aws"]
    if len([way for way in ways if way]) > 1:
        yield "", f"{' and '.join(way for way in ways if way)}: a credential goes one way only"


def _listeners(config: Config) -> Iterator[Problem]:
    try:
        listen_address(config.proxy.listen)
    except ValueError as error:
        yield "proxy.listen", str(error)
    if (config.proxy.client_certificates is ClientTls.OFF) != (not config.proxy.client_ca):
        yield "proxy.client_ca", "goes with client_certificates: both or neither"
    if config.proxy.workers != 1:
        yield "proxy.workers", "this version runs one process; take it out or set 1"
    if not config.admin.listen.startswith("unix:"):
        yield "admin.listen", "this version listens on a Unix socket only: unix:PATH; see token_listen for tokens"
    if config.admin.token_listen:
        try:
            listen_address(config.admin.token_listen)
        except ValueError as error:
            yield "admin.token_listen", str(error)


def _egress(config: Config) -> Iterator[Problem]:
    for number, port in enumerate(config.egress.ports):
        if not 0 < port <= HIGHEST_PORT:
            yield f"egress.ports[{number}]", f"{port} is no port"
    if config.egress.connections_per_subject < 1:
        yield "egress.connections_per_subject", "a subject needs one connection at least"
    for number, network in enumerate(config.egress.private_networks):
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            yield f"egress.private_networks[{number}]", str(error)


def _rule(rule: RuleConfig, config: Config) -> Iterator[Problem]:
    yield from _matchers(rule)
    if rule.action is Action.HOLD:
        yield from _hold(rule, config)
    elif rule.reviewers or rule.require:
        key = "require" if rule.require else "reviewers"
        yield key, f"a rule with action {rule.action.value!r} asks nobody; take it out or set action = 'hold'"


def _matchers(rule: RuleConfig) -> Iterator[Problem]:
    for number, host in enumerate(rule.hosts):
        if not _HOST.fullmatch(host) and not _is_address(host):
            yield f"hosts[{number}]", f"{host!r}: expected a host name, a name with a leading `*.`, or an IP address"
    for number, port in enumerate(rule.ports):
        if not 0 < port <= HIGHEST_PORT:
            yield f"ports[{number}]", f"{port} is no port"
    for number, method in enumerate(rule.methods):
        if method != method.upper() or not method.isascii() or not method:
            yield f"methods[{number}]", f"{method!r}: methods are written in upper case"
    for number, path in enumerate(rule.paths):
        if not path.startswith("/"):
            yield f"paths[{number}]", f"{path!r}: a path begins with /"


def _hold(rule: RuleConfig, config: Config) -> Iterator[Problem]:
    if not rule.reviewers and not rule.require:
        yield "reviewers", "a rule that holds must name a group of [approvals.groups]"
    if rule.require and (rule.reviewers or rule.quorum != 1):
        yield "require", "takes the place of reviewers and quorum; leave those out"
    seats: list[frozenset[str]] = []
    for place, need in _needs(rule):
        people: set[str] = set()
        if not need.reviewers and rule.require:
            yield f"{place}reviewers", "must name a group of [approvals.groups]"
        for number, group in enumerate(need.reviewers):
            if group not in config.approvals.groups:
                yield f"{place}reviewers[{number}]", f"{group!r} is no group of [approvals.groups]"
            people.update(config.approvals.groups.get(group, ()))
        if not 1 <= need.quorum <= max(1, len(people)):
            yield f"{place}quorum", f"{need.quorum} can't be met by {len(people)} reviewers"
        seats += [frozenset(people)] * need.quorum
    if not can_seat(seats, frozenset().union(*seats)):
        yield "require", "can't be met: each reviewer counts for one of its members, and there are not enough"
    if rule.wait > rule.timeout:
        yield "wait", f"{rule.wait} is longer than timeout ({rule.timeout}), for which the approval stays open"


def _needs(rule: RuleConfig) -> Iterator[tuple[str, RequireConfig]]:
    for number, need in enumerate(rule.requirements):
        yield (f"require[{number}]." if rule.require else ""), need


def _approvals(config: Config) -> Iterator[Problem]:
    approvals = config.approvals
    for key, value in (("max_pending", approvals.max_pending), ("max_per_minute", approvals.max_per_minute)):
        if value < 1:
            yield f"approvals.{key}", f"{value} would hold nothing; take a number from 1 up"
    for number, group in enumerate(approvals.break_glass):
        if group not in approvals.groups:
            yield f"approvals.break_glass[{number}]", f"{group!r} is no group of [approvals.groups]"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _masking(config: Config) -> Iterator[Problem]:
    upstream = config.masking.request.upstream
    tables = {"masking.response": config.masking.response}
    if isinstance(upstream, dict):
        tables["masking.request.upstream"] = upstream
    else:
        yield from (("masking.request.upstream", problem) for problem in _operator(upstream))
    if config.masking.pseudonyms.limit < 1:
        yield "masking.pseudonyms.limit", "expected 1 or more"
    for host, scoped in config.masking.hosts.items():
        if not _HOST.fullmatch(host):
            yield f"masking.hosts.{host}", "expected a host name, or one with a leading `*.`"
        tables |= {f"masking.hosts.{host}.request": scoped.request, f"masking.hosts.{host}.response": scoped.response}
    for number, rule in enumerate(config.rules):
        place = f"rules[{number}].masking"
        tables |= {f"{place}.request": rule.masking.request, f"{place}.response": rule.masking.response}
    for place, table in tables.items():
        for entity, operator in table.items():
            yield from ((f"{place}.{entity}", problem) for problem in _operator(operator))


def _operator(operator: str | OperatorConfig) -> Iterator[str]:
    names = [name.value for name in OperatorName]
    if isinstance(operator, str):
        if operator not in names:
            yield f"{operator!r} is no operator; there are {', '.join(names)}"
        return
    parameters = operator.keep_first or operator.keep_last or operator.character != "*"
    if operator.operator is not OperatorName.MASK and parameters:
        yield f"{operator.operator.value} takes no parameters"
    if operator.keep_first < 0 or operator.keep_last < 0:
        yield "keep_first and keep_last count characters: 0 or more"
    if len(operator.character) != 1:
        yield "character: expected one character"
