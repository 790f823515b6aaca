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
    "168.63.129.16",  # Azure
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


SPELLINGS = {
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "octal": "017700000001",
    "hexadecimal bytes": "0x7f.0x0.0x0.0x1",
    "octal bytes": "0177.0.0.01",
    "mixed bytes": "0x7f.0.1",
    "two parts": "127.1",
    "zero": "0",
    "trailing dot": "127.0.0.1.",
    "decimal metadata": "2852039166",
    "hexadecimal metadata": "0xa9fea9fe",
    "octal metadata": "0251.0376.0251.0376",
    "metadata of Alibaba": "100.100.100.200",
    "metadata of Oracle": "192.0.0.192",
    "metadata of Azure": "168.63.129.16",
    "metadata of AWS by IPv6": "[fd00:ec2::254]",
    "mapped": "[::ffff:127.0.0.1]",
    "mapped, hexadecimal": "[::ffff:a9fe:a9fe]",
    "mapped, uncompressed": "[0:0:0:0:0:ffff:7f00:1]",
    "translated": "[::ffff:0:7f00:1]",
    "compatible": "[::127.0.0.1]",
    "NAT64": "[64:ff9b::169.254.169.254]",
    "6to4": "[2002:a9fe:a9fe::]",
    "unspecified": "[::]",
    "scoped": "[fe80::1%25lo]",
    "name of this machine": "localhost",
    "its name with a dot": "localhost.",
    "its name in capitals": "LOCALHOST",
    "subdomain of it": "a.localhost",
    "metadata of Google": "metadata.google.internal",
    "its name with a dot at the end": "metadata.google.internal.",
}
"""Hosts that are refused as they are written, before anything is resolved."""
DISGUISES = {
    "credentials": "https://example.com@127.0.0.1/",
    "password": "https://a:" + "b@127.0.0.1/",
    "port as credentials": "https://example.com:443@127.0.0.1/",
    "backslash": "https://example.com\\@127.0.0.1/",
    "fragment": "https://127.0.0.1#@example.com/",
    "query": "https://127.0.0.1?@example.com/",
    "escaped digits": "https://%31%32%37.0.0.1/",
    "escaped host": "https://localhost%00.example.com/",
    "full-width digits": "https://１２７.0.0.1/",  # noqa: RUF001 - a disguise
    "ideographic stops": "https://127。0。0。1/",
    "circled digits": "https://①②⑦.0.0.1/",
    "tab in the host": "https://local\thost/",
    "line end in the host": "https://127.0.0.1\n.example.com/",
    "no slashes": "https:127.0.0.1",
    "one slash": "https:/127.0.0.1/",
    "many slashes": "https:////127.0.0.1/",
    "no scheme": "//127.0.0.1/",
    "gopher": "gopher://127.0.0.1:6379/_FLUSHALL",
    "file": "file:///etc/passwd",
    "unix socket": "unix:///var/run/docker.sock",
    "http": "http://example.com/",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_refused_address_is_refused(spelling):
    assert find_url_violation(f"https://{SPELLINGS[spelling]}/hook", allow_private=False)


@pytest.mark.parametrize("url", [*DISGUISES.values(), *(f"https://{host}/" for host in SPELLINGS.values())])
async def test_nothing_is_connected_to_behind_a_disguise(monkeypatch, url):
    """Even where every name resolves to this machine, and the check when it was stored was passed by."""
    resolving(monkeypatch, ["127.0.0.1"])
    connected = []

    async def connect_tcp(self, host, *args, **kwargs):
        connected.append(host)
        raise OSError

    monkeypatch.setattr("httpcore2.AnyIOBackend.connect_tcp", connect_tcp)
    for find in (find_url_violation, lambda *_, **__: ""):
        monkeypatch.setattr("worker.notices.http.find_url_violation", find)
        with pytest.raises((NotDelivered, TypeError)):  # the latter of text that is not ASCII
            await post_json(url, b"{}", {}, allow_private=False)
    assert connected == []


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
