"""Writes the `request` entry: a call goes on only once it is durable."""

from typing import Final

from mitmproxy.http import HTTPFlow
from msgspec import UNSET

from addons.guard import Refused, on_request
from addons.inspection import header_fields
from addons.parts import Parts
from addons.state import passage_of, tunnel_of
from gatekeeper.config import Action
from gatekeeper.exchange import Digest, Exchange, Phase, Reason, Refusal, count_findings, established, request_digest
from gatekeeper.journal import Content, Draft, KeyData, RequestData, Scalars, SubjectData, TargetData, VerdictData
from gatekeeper.masking import mask_text

DISK_FULL: Final = Refusal(
    status=503,
    reason=Reason.DISK_FULL,
    message="Gatekeeper: the journal's disk is nearly full (journal.min_free), so no new call begins. Its operator has"
    " to make room.",
)


class Record:
    """Establishes the receipt."""

    name = "record"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_request
    async def request(self, flow: HTTPFlow, exchange: Exchange) -> None:
        if exchange.verdict is not None and exchange.verdict.action is Action.HOLD:
            exchange.digest = digest_of(flow, exchange, self.parts)
        if self.parts.disk.low:
            raise Refused(DISK_FULL)
        exchange.receipt = await self.parts.journal.submit(request_draft(flow, exchange, self.parts))
        tunnel_of(flow.client_conn).open[exchange.id] = passage_of(flow)
        exchange.advance(Phase.RECORDED)


def request_draft(flow: HTTPFlow, exchange: Exchange, parts: Parts) -> Draft:
    """Make the `request` entry out of what the chain has established so far."""
    subject, target, recorded = (
        established(exchange.subject), established(exchange.target), established(exchange.recorded),
    )  # fmt: skip
    verdict, summary = established(exchange.verdict), established(exchange.summary)
    data = RequestData(
        subject=SubjectData(
            iss=subject.iss,
            sub=subject.sub,
            groups=subject.groups,
            workflow=subject.workflow,
            token=subject.token,
            act=subject.actors or UNSET,
            facts=dict(subject.facts) or UNSET,
        ),
        method=recorded.method,
        url=recorded.url,
        http=flow.request.http_version,
        headers=recorded.headers,
        target=TargetData(host=target.host, port=target.port),
        dialect=summary.dialect.value,
        gen_ai=masked_scalars(parts, summary.gen_ai),
        findings=count_findings(established(exchange.findings)),
        verdict=VerdictData(action=verdict.action.value, rule=verdict.rule, reasons=verdict.reasons),
        digest=exchange.digest or UNSET,
        uninspected=exchange.uninspected or UNSET,
        keys=tuple(
            KeyData(place=key.place, fingerprint=key.fingerprint)
            for key in parts.vault.found(target, header_fields(flow.request), flow.request.path)
        )
        or UNSET,
    )
    content = Content(media=recorded.header("content-type"), data=recorded.body) if recorded.body else None
    return Draft(data=data, exchange=exchange.id, session=exchange.session, content=content)


def masked_scalars(parts: Parts, values: Scalars) -> Scalars:
    """Mask metadata that a caller or an upstream wrote: a model's name is free text, and a leaf can't be erased."""
    texts = "\n".join(text for value in values.values() for text in _texts(value))
    if mask_text(parts.masker, texts) == texts:  # once over all of them, as a rule the only time
        return values

    def masked(value: str | int | list[str]) -> str | int | list[str]:
        match value:
            case str():
                return mask_text(parts.masker, value)
            case list():
                return [mask_text(parts.masker, text) for text in value]
            case _:
                return value

    return {name: masked(value) for name, value in values.items()}


def _texts(value: str | int | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []


def digest_of(flow: HTTPFlow, exchange: Exchange, parts: Parts) -> Digest:
    """Digest the request as it stands in the flow: what would go upstream, less the credentials."""
    subject, target = established(exchange.subject), established(exchange.target)
    rule = established(established(exchange.verdict).rule)
    request, vault = flow.request, parts.vault
    headers = vault.without_credentials(target.host, header_fields(request))
    url = request.url.removesuffix(request.path) + vault.without_credential_parameters(target.host, request.path)
    return request_digest(parts.digest_key, subject, rule, request.method, url, headers, request.raw_content or b"")
