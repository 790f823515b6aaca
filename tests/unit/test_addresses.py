"""Webhooks go to the public internet, and to the address that was checked."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import pytest

from worker.notices.addresses import find_url_violation, is_public, resolve
from worker.notices.errors import NotDelivered
from worker.notices.http import CheckedBackend, post_json

PUBLIC = [
    "93.184.215.14",
    "1.1.1.1",
    "2606:4700:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2002:101:101::1",
]
REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",  # Teredo of 127.0.0.1
    "2001:db8::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses(address):
    assert is_public(ip_address(address))


@pytest.mark.parametrize("address", REFUSED)
def test_refused_addresses(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/hook",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user:" + "pass@example.com",
        "https://user@example.com",
        "https://127.0.0.1/hook",
        "https://[::1]/hook",
        "https://[::ffff:169.254.169.254]/latest/meta-data",
        "https://localhost/hook",
        "https://db.internal/",
        "https://printer.local/",
        "https://exa mple.com/",
        "https://example.com/\r\nX-Evil: 1",
        "https://example.com\\@127.0.0.1/",
        "https://ex\u00e4mple.com/",
        "https://example.com:99999/",
        "https://[::1",
        "https://example.com/" + "x" * 2000,
        "javascript:alert(1)",
    ],
)
def test_refused_urls(url):
    assert find_url_violation(url, allow_private=False)


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://example.com:8443/a?b=c#d", "https://1.1.1.1/"]
)
def test_good_urls(url):
    assert find_url_violation(url, allow_private=False) == ""


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/", "http://[::1]/", "http://localhost/x"])
def test_private_urls_can_be_allowed(url):
    assert find_url_violation(url, allow_private=True) == ""


def resolving(monkeypatch, *answers: list[str]):
    """Have names resolve to these addresses, one answer after the other; return what was asked."""
    asked = []

    async def getaddrinfo(host, port, **kwargs):
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        if not found:
            raise socket.gaierror("no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize("address", [each for each in REFUSED if "%" not in each])
async def test_names_of_refused_addresses_are_refused(monkeypatch, address):
    resolving(monkeypatch, [address])
    with pytest.raises(NotDelivered, match="private address"):
        await resolve("example.com", 443, allow_private=False)


async def test_a_name_that_is_public_only_in_part_is_refused(monkeypatch):
    resolving(monkeypatch, ["93.184.215.14", "10.0.0.1"])
    with pytest.raises(NotDelivered, match="private address"):
        await resolve("example.com", 443, allow_private=False)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1"])
async def test_odd_spellings_of_loopback_are_refused(host):
    with pytest.raises(NotDelivered):
        await resolve(host, 443, allow_private=False)


async def test_a_name_without_an_address_is_a_failure(monkeypatch):
    resolving(monkeypatch, [])
    with pytest.raises(NotDelivered, match="no address"):
        await resolve("example.com", 443, allow_private=False)


async def test_the_checked_address_is_connected_to_although_the_name_changes(monkeypatch):
    """A name that resolves to a public address for the check and to a private one for the connection."""
    asked = resolving(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    connected = []

    async def connect_tcp(self, host, *args, **kwargs):
        connected.append(host)
        raise OSError

    monkeypatch.setattr("httpcore2.AnyIOBackend.connect_tcp", connect_tcp)
    with pytest.raises(NotDelivered, match="connection failed"):
        await post_json("https://rebinding.example.com/", b"{}", {}, allow_private=False)
    assert asked == ["rebinding.example.com"]
    assert connected == ["93.184.215.14"]


async def test_unix_sockets_are_refused():
    with pytest.raises(NotDelivered):
        await CheckedBackend(allow_private=True).connect_unix_socket("/var/run/docker.sock")
