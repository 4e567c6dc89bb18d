"""What a denied caller is told: which rule, and what to write so that the call may go. Pure.

The text goes to the caller and into the record of the gateway's answer, so of the request it quotes only
what can't hold personal data or a secret: the host, common methods, and segments of the path that are words.
"""

import re
from typing import Final

import msgspec

from gatekeeper.config import Action
from gatekeeper.exchange import Exchange, Message, Reason, Refusal, Target, Verdict

DENIED: Final = 403
USUAL_PORT: Final = 443
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_WORD: Final = re.compile(r"[A-Za-z_.-]{0,32}|v[0-9]{1,2}(?:\.[0-9]{1,2})?(?:alpha|beta)?[0-9]?")


def suggest_rule(x: Exchange) -> str:
    """Write the smallest rule that would allow this call, as TOML. In its path, `*` stands for what is no word."""
    return "\n".join(["[[rules]]", *_keys(x)]) + "\n"


def denial(x: Exchange, verdict: Verdict) -> Refusal:
    """Tell the caller of a denied exchange why, and what to do. Raises ValueError for another verdict."""
    if verdict.action is not Action.DENY:
        msg = f"a verdict of {verdict.action.value} is no denial"
        raise ValueError(msg)
    if verdict.rule is not None:
        return _refusal(Reason.DENIED_BY_RULE, _by_rule(verdict), verdict.rule)
    return _refusal(Reason.NO_RULE, _uninspected(x.uninspected) if x.uninspected is not None else _no_rule(x))


def answer_denial(verdict: Verdict) -> Refusal:
    """Tell the caller that the answer is withheld, since a rule denies a tool that it calls."""
    message = (
        f"the rule {verdict.rule!r} denies the answer ({', '.join(verdict.reasons)}). "
        "The model proposed to call a tool that may not be called here."
    )
    return _refusal(Reason.DENIED_BY_RULE, message, verdict.rule or "")


def _refusal(reason: Reason, message: str, rule: str = "") -> Refusal:
    return Refusal(status=DENIED, reason=reason, message=message, rule=rule)


def _by_rule(verdict: Verdict) -> str:
    return (
        f"the rule {verdict.rule!r} denies this call ({', '.join(verdict.reasons)}). "
        "If it should pass, change that rule, or put one that allows it before it."
    )


def _uninspected(why: str) -> str:
    return (
        f"this call can't be inspected: {why}. Send it in a form that can be read, "
        'or add uninspected = "allow" to the rule that it should pass by.'
    )


def _no_rule(x: Exchange) -> str:
    target, request = _asked(x)
    place = f"{_method(request)} {target.scheme.value}://{_authority(target)}{plain_path(request.path)}".lstrip()
    return f"no rule allows {place}. To allow it, add to config.toml a table [[rules]] with {', '.join(_keys(x))}."


def _keys(x: Exchange) -> list[str]:
    target, request = _asked(x)
    method, path = _method(request), plain_path(request.path)
    name = f"allow {method} {_authority(target)}{path}".replace("  ", " ")
    keys: dict[str, object] = {"name": name, "hosts": [target.host]}
    if target.port != USUAL_PORT:
        keys["ports"] = [target.port]
    if method:
        keys["methods"] = [method]
    keys["paths"] = [path]
    keys["action"] = Action.ALLOW.value
    # A JSON string of printable ASCII is a TOML basic string too, and so are lists of them (TOML 1.0, "String").
    return [f"{key} = {msgspec.json.encode(value).decode()}" for key, value in keys.items()]


def _asked(x: Exchange) -> tuple[Target, Message]:
    if x.target is None or x.request is None:
        msg = "a rule is suggested only for an exchange with target and request"
        raise ValueError(msg)
    return x.target, x.request


def _authority(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == USUAL_PORT else f"{host}:{target.port}"


def _method(request: Message) -> str:
    return request.method if request.method in METHODS else ""


def plain_path(path: str) -> str:
    """Give a path as a rule may have it: `*` stands for each segment that is no word."""
    segments = path.removeprefix("/").split("/")
    return "/" + "/".join(segment if _WORD.fullmatch(segment) else "*" for segment in segments)
