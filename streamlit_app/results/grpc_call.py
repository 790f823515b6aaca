"""A question as a command for a shell."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from google.protobuf.json_format import MessageToJson
from llm_observe.v1 import report_service_pb2 as pb

from streamlit_app.data.connection import settings

if TYPE_CHECKING:
    from streamlit_app.settings import AppSettings


def to_command(request: pb.RunReportRequest | pb.RunSqlRequest, chosen: AppSettings | None = None) -> str:
    """Return the call with grpcurl. A key is named by its variable, never shown."""
    chosen = chosen or settings()
    method = "RunSql" if isinstance(request, pb.RunSqlRequest) else "RunReport"
    options = "" if chosen.tls else " -plaintext"
    if chosen.api_key.get_secret_value():
        options += ' -H "authorization: Bearer $LLM_OBSERVE_API_KEY"'
    body = MessageToJson(request, indent=None, preserving_proto_field_name=True)
    return (
        f"grpcurl{options} -d {shlex.quote(body)} \\\n  {chosen.target} llm_observe.v1.ReportService/{method}"
    )
