"""The gateway's own CA: made on first run, never overwritten; its key apart from what clients are given."""

import datetime as dt
import os
from pathlib import Path
from typing import Final

import certifi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gatekeeper.config import Config, ConfigError

CA_LIFE: Final = dt.timedelta(days=3650)
CLOCK_SKEW: Final = dt.timedelta(days=2)


def ensure_authority(config: Config) -> None:
    """Make the CA and the clients' bundle where they are missing; raises ConfigError where half of it is."""
    certificate, key = config.proxy.certs / "ca.pem", config.keys / "ca.key"
    if key.exists() and not certificate.exists():
        msg = f"{certificate}: is missing while its key is there; put it back, or remove {key} to make a new CA"
        raise ConfigError(msg)
    if certificate.exists() and not key.exists():
        msg = f"{key}: is missing while {certificate} is there; put it back, or remove that to make a new CA"
        raise ConfigError(msg)
    if not key.exists():
        _create(certificate, key)
    _write(config.proxy.certs / "bundle.pem", _joined(Path(certifi.where()), certificate), 0o644)


def load_authority(config: Config) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    """Give the CA's key and certificate; raises ConfigError."""
    path = config.keys / "ca.key"
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((config.proxy.certs / "ca.pem").read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{path}: the CA's key or certificate can't be read"
        raise ConfigError(msg) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        msg = f"{path}: is not the EC key of {config.proxy.certs / 'ca.pem'}"
        raise ConfigError(msg)
    return key, certificate


def upstream_roots(config: Config) -> Path:
    """Write the roots that upstreams are verified against: the public ones, and `proxy.upstream_ca` on top."""
    path = config.data / "upstream-roots.pem"
    extra = config.proxy.upstream_ca
    files = [Path(certifi.where()), *([Path(extra)] if extra else [])]
    try:
        content = _joined(*files)
        for file in files[1:]:
            x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        msg = f"{extra}: proxy.upstream_ca: is no file of PEM certificates"
        raise ConfigError(msg) from error
    _write(path, content, 0o600)
    return path


def _create(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Gatekeeper"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"Gatekeeper CA {os.urandom(4).hex()}"),
        ]
    )
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    authority = (
        x509.CertificateBuilder()
        .serial_number(x509.random_serial_number())
        .subject_name(name)
        .issuer_name(name)
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + CA_LIFE)
        .public_key(private.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(key, pem, 0o600)
    _write(certificate, authority.public_bytes(serialization.Encoding.PEM), 0o644)


def _joined(*files: Path) -> bytes:
    return b"\n".join(file.read_bytes().rstrip() for file in files) + b"\n"


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file in one step, so that a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if mode & 0o044 else 0o700)
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        os.fsync(file.fileno())
    temporary.replace(path)
