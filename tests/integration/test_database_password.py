"""Any password works, in the URL, beside it and in a file."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest

from storage.migrate import migrate
from storage.pool import Database
from storage.settings import StorageSettings
from storage.sql import Query

PASSWORDS = [
    "p@ss",
    "p/w%rd",
    "%41",
    "a:b@c/d?e#f&g=h",
    "[::1]",
    " spaces and 'quotes\" ",
    "${HOME}\\",
    "pässwörd",
]


def settings_of(way: str, url: str, role: str, password: str, folder) -> StorageSettings:
    parts = urlsplit(url)
    place = f"{parts.hostname}:{parts.port}{parts.path}"
    alone = f"postgresql://{role}@{place}"
    if way == "url":
        return StorageSettings(database_url=f"postgresql://{role}:{quote(password, safe='')}@{place}")
    if way == "variable":
        return StorageSettings(database_url=alone, password=password)
    if way == "both":
        return StorageSettings(database_url=f"postgresql://{role}:wrong@{place}", password=password)
    (folder / "password").write_text(f"{password}\n")
    return StorageSettings(database_url=alone, password_file=str(folder / "password"))


@pytest.mark.parametrize("way", ["url", "variable", "both", "file"])
async def test_any_password_opens_the_database(way, database_url, sql, tmp_path):
    role = f"role_{urlsplit(database_url).path.strip('/')}"
    await sql.execute(f"CREATE ROLE {role} LOGIN SUPERUSER")
    try:
        for password in PASSWORDS:
            statement = await sql.fetchval(
                "SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, password
            )
            await sql.execute(statement)
            settings = settings_of(way, database_url, role, password, tmp_path)
            assert await migrate(settings) == [], password
            database = Database(settings)
            (row,) = await database.fetch(Query("whoami", "SELECT current_user AS name", ()))
            await database.close()
            assert row["name"] == role
    finally:
        await sql.execute(f"DROP ROLE {role}")
