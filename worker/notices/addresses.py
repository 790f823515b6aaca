"""Which addresses a webhook may have: public ones, so that nobody reaches inner services through this one."""

from __future__ import annotations

import asyncio
import re
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from worker.notices.errors import NotDelivered

_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_PROTOCOL_ASSIGNMENTS: Final = IPv4Network("192.0.0.0/24")
"""Which some releases of Python count as global."""
_CLOUD_HOSTS: Final = (IPv4Address("168.63.129.16"),)
"""Azure's own, which every virtual machine there reaches, though it is a public address."""
_COMPATIBLE: Final = IPv6Network("::/96")
_IPV4_BITS: Final = 0xFFFF_FFFF
MAX_URL_CHARS: Final = 2000
_PLAIN_URL: Final = re.compile(r"[!-\[\]-~]+")  # printable ASCII but space and backslash


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is one of the public internet, and so is an IPv4 address inside it."""
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return False
        inner = _ipv4_inside(address)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or _is_local(address)
    )


def _is_local(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address):
        return address.is_site_local
    return address in _PROTOCOL_ASSIGNMENTS or address in _CLOUD_HOSTS


def _ipv4_inside(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that packets to an IPv6 address end at, if any."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _COMPATIBLE or any(address in network for network in _NAT64):
        return IPv4Address(int(address) & _IPV4_BITS)
    return None


def find_url_violation(url: str, *, allow_private: bool) -> str:
    """Return what is wrong with the URL of a webhook, or ''. It is checked again when it is used."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be a URL"
    schemes = ("https", "http") if allow_private else ("https",)
    rules = (
        (len(url) <= MAX_URL_CHARS, f"must have at most {MAX_URL_CHARS} characters"),
        (_PLAIN_URL.fullmatch(url) and host, "must be a URL in ASCII, with a host"),
        (parts.username is None and parts.password is None, "must not hold a user name or a password"),
        (parts.scheme in schemes, "must begin with https://"),
        (
            allow_private or not _is_private_literal(host or ""),
            "must not have a private, loopback or link-local address",
        ),
    )
    return next((text for kept, text in rules if not kept), "")


def _is_private_literal(host: str) -> bool:
    host = host.removesuffix(".")
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    address = _parse_literal(host)
    return address is not None and not is_public(address)


def _parse_literal(host: str) -> IPv4Address | IPv6Address | None:
    """Return the address that a host spells; None for a name, which is resolved when it is used."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))  # 2130706433, 0x7f.1, 0177.0.0.1, 127.1
    except OSError:
        return None


async def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """Return an address of a host that may be connected to.

    Raises:
        NotDelivered: The name has no address, or one that is not public.
    """
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, UnicodeError):
        raise NotDelivered("the host has no address") from None
    addresses = [str(where[0]) for *_, where in found]
    if not addresses:
        raise NotDelivered("the host has no address")
    # All of them: a name that is public only in part is a trap, or a mistake.
    if not allow_private and not all(is_public(ip_address(each)) for each in addresses):
        raise NotDelivered("the host has a private address: see LLM_OBSERVE_ALERT_ALLOW_PRIVATE")
    return addresses[0]
