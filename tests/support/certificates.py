"""Certificates of this machine, and the authority that signs them."""

from __future__ import annotations

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOUR = dt.timedelta(hours=1)


class Authority:
    """Signs certificates for this machine."""

    def __init__(self, folder, name: str) -> None:
        self.folder, self.name = folder, name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._make(name, self._key, authority=True)
        self.ca_file = str(folder / f"{name}.pem")
        (folder / f"{name}.pem").write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def _make(self, name: str, key, *, authority: bool, host: str = "localhost", expired: bool = False):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if authority else self._certificate.subject
        now = dt.datetime.now(dt.UTC)
        end = now - HOUR if expired else now + HOUR
        names: list[x509.GeneralName] = [x509.DNSName(host)]
        if host == "localhost":
            names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - 3 * HOUR)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def sign(self, name: str, *, host: str = "localhost", expired: bool = False) -> tuple[str, str]:
        """Return the files of a new certificate and its key, by default for this machine and an hour."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, key_file = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        signed = self._make(name, key, authority=False, host=host, expired=expired)
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return str(certificate), str(key_file)
