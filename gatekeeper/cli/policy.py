"""`gatekeeper policy`: which rule decides, and why no earlier one did."""

import sys
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import click
import msgspec

from gatekeeper.cli.options import json_option, load_settings, settings_option
from gatekeeper.cli.output import print_json
from gatekeeper.cli.policy_check import check
from gatekeeper.cli.policy_suggest import suggest
from gatekeeper.cli.visible import visible

if TYPE_CHECKING:
    from gatekeeper.config import Config
    from gatekeeper.exchange import Exchange, Message, Subject, Target, Verdict
    from gatekeeper.policy import Explanation

DENIED: Final = 1
BY_CONTENT: Final = frozenset({"findings", "prompt", "match"})
"""Keys of a rule that only a real call can answer."""

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
COLOURS: Final = {"allow": "green", "hold": "yellow", "deny": "red"}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What `explain` says, for JSON."""

    action: str
    rule: str | None
    reasons: tuple[str, ...]
    rules: tuple["Explanation", ...]
    suggestion: str


@click.group()
def policy() -> None:
    """Ask which rule decides, try rules on recorded traffic, and see which are needed."""


policy.add_command(check)
policy.add_command(suggest)


@policy.command()
@click.option("--subject", required=True, metavar="S", help="Who calls.")
@click.option("--group", "groups", multiple=True, metavar="G", help="A group of the subject; may be repeated.")
@click.option("--workflow", metavar="W", help="The workflow that the token is scoped to.")
@click.option("--issuer", metavar="URL", help="Who the token is from.  [default: the embedded issuer, else the first]")
@click.argument("method")
@click.argument("url")
@json_option
@settings_option
def explain(
    subject: str,
    groups: tuple[str, ...],
    workflow: str | None,
    issuer: str | None,
    method: str,
    url: str,
    *,
    as_json: bool,
) -> None:
    """Say which rule decides on METHOD URL, and why each earlier one did not. Exit 1: denied.

    The call is taken to have an empty body: rules that look into calls are said to be undecided.
    """
    from gatekeeper.exchange import Side, now
    from gatekeeper.policy import Policy, suggest_rule

    config = load_settings()
    rules = Policy(config.rules, config.egress.ports)
    target, message = _read_call(method, url)
    exchange = _exchange(_subject(config, subject, groups, workflow, issuer), target, message)
    verdict = rules.decide(exchange, Side.REQUEST, frozenset(), now())
    told = rules.explain(exchange, frozenset())
    suggestion = suggest_rule(exchange) if verdict.rule is None else ""
    if as_json:
        action = verdict.action.value
        print_json(Answer(action=action, rule=verdict.rule, reasons=verdict.reasons, rules=told, suggestion=suggestion))
    else:
        _print(verdict, told, suggestion)
    sys.exit(DENIED if verdict.action.value == "deny" else 0)


def _print(verdict: "Verdict", told: "tuple[Explanation, ...]", suggestion: str) -> None:
    for number, one in enumerate(told):
        click.echo(f"rules[{number}] {visible(repr(str(one.rule)))}: {_why(one)}")
    action = click.style(verdict.action.value, fg=COLOURS[verdict.action.value], bold=True)
    by = f"by rule {str(verdict.rule)!r}" if verdict.rule is not None else "by default"
    click.echo(f"{action} {visible(f'{by}: {", ".join(verdict.reasons)}')}")
    if suggestion:
        click.echo(f"\nThis rule would allow it:\n\n{suggestion}", nl=False)


def _why(one: "Explanation") -> str:
    if one.decided:
        return f"decides: {one.action.value}"
    if one.key in BY_CONTENT:
        return visible(f"{one.action.value} where {one.key} has {one.wanted}, which only a real call shows")
    return visible(f"not this one: {one.key} wants {one.wanted}, got {one.got}")


def _read_call(method: str, url: str) -> "tuple[Target, Message]":
    """Read a call as the gateway would; raises UsageError for what is no URL, and exits 1 for what it refuses."""
    from gatekeeper.egress import TargetError, normal_path, normalise_host
    from gatekeeper.exchange import Message, Reason, Scheme, Target

    parts, port = _split(url)
    origin = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        host, path = normalise_host(parts.hostname or ""), normal_path(origin)
    except TargetError as error:
        if error.reason is Reason.MALFORMED:
            msg = f"URL: {error}"
            raise click.UsageError(msg) from error
        click.echo(f"refused before any rule ({error.reason.value}): {error}")
        sys.exit(DENIED)
    return Target(Scheme(parts.scheme), host, port), Message(method=method.upper(), url=url, path=path)


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        msg = f"URL: {url!r}: {error}"
        raise click.UsageError(msg) from error
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        msg = f"URL: {url!r}: expected one such as https://api.example.com/v1/things"
        raise click.UsageError(msg)
    return parts, DEFAULT_PORTS[parts.scheme] if port is None else port


def _subject(
    config: "Config", name: str, groups: tuple[str, ...], workflow: str | None, issuer: str | None
) -> "Subject":
    from gatekeeper.exchange import Instant, Subject

    issuers = config.identity.issuers
    first = config.embedded_issuer or (issuers[0] if issuers else None)
    return Subject(
        iss=issuer or (first.issuer if first else ""),
        sub=name,
        groups=groups,
        workflow=workflow,
        token="",
        expires=Instant(0),
    )


def _exchange(subject: "Subject", target: "Target", message: "Message") -> "Exchange":
    from gatekeeper.exchange import DialectName, Exchange, ExchangeSummary, new_exchange_id, now

    return Exchange(
        new_exchange_id(),
        now(),
        subject=subject,
        target=target,
        request=message,
        summary=ExchangeSummary(dialect=DialectName.HTTP),
        findings=(),
    )
