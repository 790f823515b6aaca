"""Where the lake is and when hours go into it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from analytics.lake.store import parse_url
from analytics.windows import HOUR, floor
from telemetry.settings import EnvSettings

if TYPE_CHECKING:
    from datetime import datetime

    from analytics.lake.store import LakeStore


class LakeSettings(EnvSettings):
    """Where the lake is and when hours go into it."""

    url: str = Field("", alias="LLM_OBSERVE_LAKE_URL")
    """A folder, or ``s3://bucket/prefix``; empty means none: then retention waits for no export."""
    s3_endpoint: str = Field("", alias="LLM_OBSERVE_LAKE_S3_ENDPOINT")
    """Address of a store that speaks S3's protocol; empty means AWS."""
    s3_region: str = Field("", alias="LLM_OBSERVE_LAKE_S3_REGION")
    """Region of the bucket; empty means that of the AWS variables, or us-east-1."""
    seal_delay_s: float = Field(600.0, alias="LLM_OBSERVE_LAKE_SEAL_DELAY_S", ge=0, le=86_400)
    """How long after its end an hour is exported, in seconds. Logs that come later have it written again."""
    timeout_s: float = Field(600.0, alias="LLM_OBSERVE_LAKE_TIMEOUT_S", gt=0)
    """Longest that reading the logs of an hour may take, in seconds."""
    outage_s: float = Field(600.0, alias="LLM_OBSERVE_LAKE_OUTAGE_S", ge=0)
    """How long an export waits for a lake that is away before it fails, in seconds. The next one goes on."""

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        if url:
            parse_url(url)
        return url

    def last_end(self, now: datetime) -> datetime:
        """Return the end of the last hour that may be exported."""
        return floor(now - timedelta(seconds=self.seal_delay_s), HOUR)

    def open_store(self) -> LakeStore | None:
        """Return the lake; None where there is none. Nothing is asked of it yet."""
        if not self.url:
            return None
        place = parse_url(self.url)
        if place.bucket:
            from analytics.lake.s3 import S3Store  # noqa: PLC0415 - pyarrow takes a while to import

            return S3Store(place, endpoint=self.s3_endpoint, region=self.s3_region)
        from analytics.lake.folder import FolderStore  # noqa: PLC0415 - beside S3Store

        return FolderStore(place.path)
