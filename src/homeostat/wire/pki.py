"""Makes a certificate authority, certificate requests and the certificates it signs, as PEM bytes.

Keys that are made here are P-256; requests may bring others."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from homeostat.kit import chance, clock

# Kubernetes' kubeadm: certificates for a year, authorities for ten.
LEAF_SECONDS = 365 * 86_400.0
CA_SECONDS = 3650 * 86_400.0
# Clocks of clients may be a little behind.
_BACKDATED_SECONDS = 300
_SERIAL_BITS = 159
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "s/mime": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM. Keep `key` out of logs."""

    certificate: bytes
    key: bytes


def make_authority(common_name: str, *, seconds: float = CA_SECONDS) -> KeyPair:
    """A self-signed authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = _builder(name, name, key.public_key(), seconds)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return KeyPair(_pem(builder.sign(key, hashes.SHA256())), private_key_pem(key))


def issue(
    authority: KeyPair,
    common_name: str,
    *,
    organizations: Sequence[str] = (),
    names: Sequence[str] = (),
    seconds: float = LEAF_SECONDS,
    server: bool = False,
    client: bool = False,
) -> KeyPair:
    """A certificate signed by `authority`: `names` are DNS names and IP addresses, `organizations` become groups.

    Raises ValueError without a usage, or for a DNS name that is not ASCII.
    """
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] * server + [ExtendedKeyUsageOID.CLIENT_AUTH] * client
    if not usages:
        raise ValueError("a certificate is for a server, a client or both")
    signer, issuer = _signer(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_subject(common_name, organizations), issuer.subject, key.public_key(), seconds)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if names:
        builder = builder.add_extension(_alternatives(names), critical=False)
    return KeyPair(_pem(builder.sign(signer, hashes.SHA256())), private_key_pem(key))


def make_request(common_name: str, *, organizations: Sequence[str] = (), names: Sequence[str] = ()) -> KeyPair:
    """A new key and a certificate request for it: `certificate` is the request, PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(common_name, organizations))
    if names:
        builder = builder.add_extension(_alternatives(names), critical=False)
    request = builder.sign(key, hashes.SHA256())
    return KeyPair(request.public_bytes(serialization.Encoding.PEM), private_key_pem(key))


def sign_request(authority: KeyPair, request: bytes, *, usages: Sequence[str], seconds: float) -> bytes:
    """The certificate (PEM) for a request (PEM), good for `seconds` and no longer than the authority's own.

    `usages` are named as CertificateSigningRequests name them; those that no extension has are left out. Subject and
    names are the request's own: whoever signs has judged them. Raises ValueError on what cannot be read.
    """
    signer, issuer = _signer(authority)
    asked = x509.load_pem_x509_csr(request)
    key = asked.public_key()
    builder = _builder(asked.subject, issuer.subject, key, seconds, not_after=issuer.not_valid_after_utc)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_asked_key_usage(usages), critical=True)
    extended = [oid for name, oid in _EXTENDED.items() if name in usages]
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(identifier, critical=False)
    for extension in asked.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            builder = builder.add_extension(extension.value, critical=False)
    return _pem(builder.sign(signer, hashes.SHA256()))


def is_issued_by(certificate: bytes, authority: bytes) -> bool:
    """Whether the authority (PEM) signed the certificate (PEM). Raises ValueError on what cannot be read."""
    try:
        x509.load_pem_x509_certificate(certificate).verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def fingerprint(certificate: bytes) -> str:
    """`sha256:...` over the public key of a certificate (PEM): by which `join` knows an authority (RFC 7469)."""
    loaded = x509.load_pem_x509_certificate(certificate)
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = loaded.public_key().public_bytes(serialization.Encoding.DER, form)
    return "sha256:" + hashlib.sha256(public).hexdigest()


def _signer(authority: KeyPair) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    signer = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise ValueError("the authority's key is not an elliptic curve key")
    return signer, x509.load_pem_x509_certificate(authority.certificate)


def _subject(common_name: str, organizations: Sequence[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization) for organization in organizations]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_general_name(name) for name in names])


def private_key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as unencrypted PKCS 8."""
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    return key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificatePublicKeyTypes,
    seconds: float,
    *,
    not_after: datetime | None = None,
) -> x509.CertificateBuilder:
    now = datetime.fromtimestamp(int(clock.wall()), UTC)
    end = now + timedelta(seconds=seconds)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(1 + chance.below(2**_SERIAL_BITS))
    builder = builder.not_valid_before(now - timedelta(seconds=_BACKDATED_SECONDS))
    return builder.not_valid_after(min(end, not_after) if not_after is not None else end)


def _asked_key_usage(usages: Sequence[str]) -> x509.KeyUsage:
    """What a request's usages say of the key; encipher and decipher only mean something with key agreement."""
    agreement = "key agreement" in usages
    return x509.KeyUsage(
        digital_signature="digital signature" in usages or "signing" in usages,
        content_commitment="content commitment" in usages,
        key_encipherment="key encipherment" in usages,
        data_encipherment="data encipherment" in usages,
        key_agreement=agreement,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=agreement and "encipher only" in usages,
        decipher_only=agreement and "decipher only" in usages,
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
