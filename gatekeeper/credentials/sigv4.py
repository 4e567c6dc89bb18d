"""Signs requests for AWS (Signature Version 4) with botocore's signer, so that the container holds no AWS key."""

from typing import Final, override

import msgspec
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gatekeeper.exchange import Headers, Target

SIGNED: Final = frozenset({"content-type", "x-amz-target", "x-amz-api-version"})
"""Fields that are signed beside Host and those of the signature itself: no hop changes them behind us."""

OF_SIGNATURE: Final = frozenset({"authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256"})


class AwsKey(msgspec.Struct, frozen=True):
    """An access key, and where it signs for."""

    access_key: str
    secret_key: str
    session_token: str
    region: str
    service: str

    @override
    def __repr__(self) -> str:
        return f"AwsKey({self.region!r}, {self.service!r}, ‹secret›)"


def sign(key: AwsKey, target: Target, method: str, path: str, headers: Headers, body: bytes) -> Headers:
    """Give the fields of the signature; `path` with its query, as it goes upstream."""
    port = "" if target.port == 443 else f":{target.port}"  # noqa: PLR2004 - https
    kept = {name: value for name, value in headers if name.lower() in SIGNED}
    request = AWSRequest(method, f"https://{target.host}{port}{path}", headers=kept, data=body)
    credentials = Credentials(key.access_key, key.secret_key, key.session_token or None)
    signer = S3SigV4Auth if key.service == "s3" else SigV4Auth
    signer(credentials, key.service, key.region).add_auth(request)
    return tuple((name, str(value)) for name, value in request.headers.items() if name.lower() in OF_SIGNATURE)
