"""Reads what the sidebar says of the server. All functions raise ServerError if the call fails."""

from __future__ import annotations

from llm_observe.v1 import admin_service_pb2 as admin
from llm_observe.v1 import health_service_pb2 as health
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceStub
from llm_observe.v1.health_service_pb2_grpc import HealthServiceStub

from streamlit_app.data.connection import channel, server_errors, settings


def check_health() -> health.CheckResponse:
    """Return the state of the server and of what it depends on."""
    with server_errors():
        return HealthServiceStub(channel()).Check(health.CheckRequest(), timeout=settings().timeout_s)


def list_projects() -> list[admin.Project]:
    """Return the projects that the app's key gives access to."""
    with server_errors():
        answer = AdminServiceStub(channel()).ListProjects(
            admin.ListProjectsRequest(), timeout=settings().timeout_s
        )
    return list(answer.projects)
