"""Certificates for tests: good ones, and each kind of bad one."""

from __future__ import annotations

import datetime

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Authority:
    """A certificate authority that writes PEM files into a folder."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.ca = trustme.CA()
        self.root = self.write("root", self.ca.cert_pem.bytes())

    def issue(self, name, *identities, **settings):
        issued = self.ca.issue_cert(*identities, **settings)
        pieces = [issued.private_key_pem.bytes(), *(one.bytes() for one in issued.cert_chain_pems)]
        return self.write(name, b"".join(pieces))

    def write(self, name, data):
        path = self.folder / f"{name}.pem"
        path.write_bytes(data)
        return path


def signed_by_itself(authority):
    """Return a certificate of an authority that nobody knows."""
    folder = authority.folder / "unknown"
    folder.mkdir()
    return Authority(folder).issue("self", "sip.example.org")


def chain_without_its_middle(authority):
    """Return a server's PEM file that leaves out the certificate between it and the root."""
    middle = authority.ca.create_child_ca()
    issued = middle.issue_cert("sip.example.org")
    pieces = [issued.private_key_pem.bytes(), issued.cert_chain_pems[0].bytes()]
    return authority.write("leaf", b"".join(pieces))


def with_common_name_only(authority):
    """Return a certificate that names the host the way that counts no longer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sip.example.org")])
    root = x509.load_pem_x509_certificate(authority.ca.cert_pem.bytes())
    signer = serialization.load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    made = (
        x509.CertificateBuilder(root.subject, subject, key.public_key(), 7)
        .not_valid_before(datetime.datetime(2020, 1, 1))
        .not_valid_after(datetime.datetime(2090, 1, 1))
        .sign(signer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return authority.write("common", private + made.public_bytes(pem))


def revocations(authority, certificate):
    """Return a list that revokes a certificate, or none."""
    root = x509.load_pem_x509_certificate(authority.ca.cert_pem.bytes())
    signer = serialization.load_pem_private_key(authority.ca.private_key_pem.bytes(), None)
    builder = x509.CertificateRevocationListBuilder(
        root.subject, datetime.datetime(2020, 1, 1), datetime.datetime(2090, 1, 1)
    )
    if certificate is not None:
        number = x509.load_pem_x509_certificates(certificate.read_bytes())[0].serial_number
        revoked = x509.RevokedCertificateBuilder(number, datetime.datetime(2020, 1, 1)).build()
        builder = builder.add_revoked_certificate(revoked)
    data = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return authority.write("revoked", data)
