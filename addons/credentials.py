"""Takes the container's placeholder out and puts the upstream's secret in, for the hosts it belongs to."""

from mitmproxy.http import Headers, HTTPFlow

from addons.guard import Refused, on_request
from addons.inspection import header_fields
from addons.parts import Parts
from gatekeeper.credentials import CredentialUnavailable, ForeignCredential, Outgoing
from gatekeeper.exchange import Exchange, Phase, Reason, Refusal


class Credentials:
    """Runs after the release, so that no approval and no record ever sees a secret."""

    name = "credentials"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    @on_request
    async def request(self, flow: HTTPFlow, exchange: Exchange) -> None:
        if exchange.target is None or exchange.phase is not Phase.RELEASED:
            msg = "credentials are put in only after the release"
            raise ValueError(msg)
        request = flow.request
        outgoing = Outgoing(
            request.data.method.decode("latin-1"), request.path, header_fields(request), request.raw_content or b""
        )
        try:
            await self.parts.vault.prepare(exchange.target)
            applied = self.parts.vault.apply(exchange.target, outgoing)
        except ForeignCredential as error:
            raise _refused(403, Reason.FOREIGN_CREDENTIAL, error) from error
        except CredentialUnavailable as error:
            raise _refused(503, Reason.CREDENTIAL_UNAVAILABLE, error) from error
        if applied.headers != outgoing.headers:
            request.headers = Headers(
                [(name.encode("latin-1"), value.encode("latin-1")) for name, value in applied.headers]
            )
        if applied.path != outgoing.path:
            request.path = applied.path


def _refused(status: int, reason: Reason, error: ValueError) -> Refused:
    return Refused(Refusal(status=status, reason=reason, message=f"Gatekeeper: {error}"))
