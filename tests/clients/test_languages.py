"""The clients in Go, Java, C++ and Ruby run their own tests against real servers: ``make test-clients``."""

from __future__ import annotations

import shutil
from typing import NamedTuple

import pytest

from tests.support.clients import CLIENTS, ROOT, run

pytestmark = pytest.mark.clients


class Language(NamedTuple):
    """What a client is built with, and against which kinds of servers it runs."""

    tools: tuple[str, ...]
    servers: tuple[str, ...] = ("open", "tls")


LANGUAGES = {
    "go": Language(("protoc",)),
    "java": Language(("protoc", "grpc_java_plugin", "javac"), ("open", "keys")),  # TLS: clients/README.md
    "cpp": Language(("protoc", "grpc_cpp_plugin", "g++", "pkg-config")),
    "ruby": Language(("protoc", "grpc_ruby_plugin", "ruby")),
}
CASES = [(name, servers) for name, language in LANGUAGES.items() for servers in language.servers]


@pytest.mark.parametrize(("language", "servers"), CASES, indirect=["servers"])
async def test_its_own_tests_pass(language, servers):
    missing = [tool for tool in LANGUAGES[language].tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found: see clients/README.md")
    await run("scripts/generate_clients.sh", language, folder=ROOT)
    print(await run("./test.sh", folder=CLIENTS / language, env=servers))  # noqa: T201 - shown by pytest -s
