"""Where traces and metrics go: OpenTelemetry's own variables, and the port that Prometheus reads."""

from __future__ import annotations

from typing import Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from telemetry.settings import EnvSettings

_EXPORTERS: Final = ("otlp", "none")


class TelemetrySettings(EnvSettings):
    """Nothing is recorded unless one of these asks for it. OpenTelemetry reads more variables itself."""

    # As OpenTelemetry demands: an empty variable is one that is not set.
    model_config = SettingsConfigDict(
        frozen=True, populate_by_name=True, extra="ignore", env_ignore_empty=True
    )

    metrics_port: int = Field(0, alias="LLM_OBSERVE_METRICS_PORT", ge=0, le=65535)
    """Port of the process's own, at which Prometheus reads its metrics; 0 means none."""
    metrics_host: str = Field("127.0.0.1", alias="LLM_OBSERVE_METRICS_HOST")
    """Address of that port. Whoever reaches it can read the metrics."""
    disabled: bool = Field(default=False, alias="OTEL_SDK_DISABLED")
    """Send neither traces nor metrics by OTLP."""
    endpoint: str = Field("", alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    """Collector of traces and metrics, such as ``http://127.0.0.1:4317``."""
    traces_endpoint: str = Field("", alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    """Collector of traces, in place of the common one."""
    metrics_endpoint: str = Field("", alias="OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
    """Collector of metrics, in place of the common one."""
    protocol: Literal["grpc"] = Field("grpc", alias="OTEL_EXPORTER_OTLP_PROTOCOL")
    """Only gRPC is spoken."""
    traces_exporter: str = Field("otlp", alias="OTEL_TRACES_EXPORTER")
    """``otlp``, or ``none`` to send no traces. Nothing is ever written to the console."""
    metrics_exporter: str = Field("otlp", alias="OTEL_METRICS_EXPORTER")
    """``otlp``, or ``none`` to send no metrics."""
    sampler: Literal[
        "always_on",
        "always_off",
        "traceidratio",
        "parentbased_always_on",
        "parentbased_always_off",
        "parentbased_traceidratio",
    ] = Field("parentbased_always_on", alias="OTEL_TRACES_SAMPLER")
    """Which traces are recorded: of callers that have decided, by default what they decided."""
    metric_interval_ms: int = Field(60_000, alias="OTEL_METRIC_EXPORT_INTERVAL", ge=100)
    """Pause between two exports of metrics, in milliseconds."""

    @model_validator(mode="after")
    def _know_exporters(self) -> Self:
        """Refuse other exporters where something is to be sent; elsewhere they are not our business."""
        for variable, exporter, endpoint in (
            ("OTEL_TRACES_EXPORTER", self.traces_exporter, self.traces_endpoint),
            ("OTEL_METRICS_EXPORTER", self.metrics_exporter, self.metrics_endpoint),
        ):
            if self._sends("otlp", endpoint) and exporter not in _EXPORTERS:
                raise ValueError(f"{variable} must be one of {', '.join(_EXPORTERS)}")
        return self

    @property
    def sends_traces(self) -> bool:
        """Whether traces are recorded and sent."""
        return self._sends(self.traces_exporter, self.traces_endpoint)

    @property
    def sends_metrics(self) -> bool:
        """Whether metrics are sent, beside those that Prometheus reads."""
        return self._sends(self.metrics_exporter, self.metrics_endpoint)

    @property
    def has_metrics(self) -> bool:
        """Whether anything is counted."""
        return bool(self.metrics_port) or self.sends_metrics

    def _sends(self, exporter: str, endpoint: str) -> bool:
        return not self.disabled and exporter == "otlp" and bool(endpoint or self.endpoint)

    @property
    def follows_callers(self) -> bool:
        """Whether a caller's decision not to sample holds here."""
        return self.sampler.startswith("parentbased")
