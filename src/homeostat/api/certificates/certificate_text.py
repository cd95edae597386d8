"""Certificate requests and certificates as data: what a PEM text says. Pure; nothing is signed here.

The library is imported when the first request is read: few processes ever do.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509

_REQUEST_HEAD = b"-----BEGIN CERTIFICATE REQUEST-----"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a certificate request asks for."""

    common_name: str
    organizations: tuple[str, ...]
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def decoded(field: object) -> bytes:
    """The bytes of a `[]byte` field of an object. Raises ValueError."""
    try:
        return base64.b64decode(field, validate=True) if isinstance(field, str) else b""
    except binascii.Error as error:
        raise ValueError(f"illegal base64 data: {error}") from error


def load_request(pem: bytes) -> x509.CertificateSigningRequest:
    """The request in a PEM text, its own signature checked. Raises ValueError."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    if not pem.lstrip().startswith(_REQUEST_HEAD):
        raise ValueError("PEM block type must be CERTIFICATE REQUEST")
    try:
        request = x509.load_pem_x509_csr(pem)
        good = request.is_signature_valid
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    if not good:
        raise ValueError("the request's signature is not valid")
    return request


def read_request(pem: bytes) -> Asked:
    """What the request in a PEM text asks for. Raises ValueError."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    request = load_request(pem)
    names = [str(each.value) for each in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    groups = [str(each.value) for each in request.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    try:
        other = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Asked(names[-1] if names else "", tuple(groups))
    return Asked(
        names[-1] if names else "",
        tuple(groups),
        dns_names=tuple(other.get_values_for_type(x509.DNSName)),
        addresses=tuple(str(each) for each in other.get_values_for_type(x509.IPAddress)),
        emails=tuple(other.get_values_for_type(x509.RFC822Name)),
        uris=tuple(other.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def life_of(pem: bytes) -> tuple[float, float]:
    """From when to when the first certificate in a PEM text is good (wall-clock seconds). Raises ValueError."""
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate(pem)
    return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()


def check_certificates(pem: bytes) -> None:
    """Raises ValueError unless the text holds one or more certificates and no other PEM blocks."""
    from cryptography import x509

    begins = [line for line in pem.splitlines() if line.startswith(b"-----BEGIN ")]
    if any(line.strip() != b"-----BEGIN CERTIFICATE-----" for line in begins):
        raise ValueError("only CERTIFICATE PEM blocks are allowed")
    if not begins:
        raise ValueError("must contain at least one CERTIFICATE PEM block")
    x509.load_pem_x509_certificates(pem)
