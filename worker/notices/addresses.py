"""Which addresses a webhook may have: public ones, so that nobody reaches inner services through this one."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import urlsplit

from worker.notices.errors import NotDelivered

_NAT64: Final = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
_COMPATIBLE: Final = IPv6Network("::/96")
_IPV4_BITS: Final = 0xFFFF_FFFF
MAX_URL_CHARS: Final = 2000


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is one of the public internet, and so is an IPv4 address inside it."""
    if isinstance(address, IPv6Address):
        if address.scope_id:
            return False
        inner = _ipv4_inside(address)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or _is_site_local(address)
    )


def _is_site_local(address: IPv4Address | IPv6Address) -> bool:
    return isinstance(address, IPv6Address) and address.is_site_local


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
    if len(url) > MAX_URL_CHARS:
        return f"must have at most {MAX_URL_CHARS} characters"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "must be a URL"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or not host:
        return "must be a URL in ASCII, with a host"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user name or a password"
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        return "must begin with https://"
    if not allow_private and _is_private_literal(host):
        return "must not be a private, loopback or link-local address"
    return ""


def _is_private_literal(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return False  # a name, which is resolved when it is used


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
