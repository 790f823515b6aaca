"""The part of AdminService that deals with projects and API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from llm_observe.v1 import admin_service_pb2 as pb
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceServicer

from server.admin.convert import to_api_key, to_project
from server.rpc.auth import caller
from server.rpc.checks import check_text, parse_uuid
from server.rpc.errors import (
    ApiKeyNotFound,
    InvalidField,
    PermissionDenied,
    ProjectAlreadyExists,
    ProjectNotFound,
)
from server.rpc.times import parse_timestamp
from storage import api_keys

if TYPE_CHECKING:
    from llm_observe.redaction import Redactor

    from storage.pool import Database

_ROLE_NAMES: Final = ("", *api_keys.ROLES)
"""Words of llm_observe.v1.ApiKeyRole, by number."""


class KeyAdmin(AdminServiceServicer):
    """Projects and keys. A caller with a key administers the key's project, one without a key all."""

    def __init__(self, database: Database, redactor: Redactor) -> None:
        self._database = database
        self._redactor = redactor

    async def CreateProject(self, request: pb.CreateProjectRequest, context: Any) -> pb.CreateProjectResponse:
        # A key opens its own project; only who needs no key, or has the machine, makes others.
        if caller().api_key_id:
            raise PermissionDenied(["operator"])
        project_id = request.project.project_id
        if not api_keys.PROJECT_ID.fullmatch(project_id):
            raise InvalidField([("project.project_id", "1 to 63 lower-case letters, digits and hyphens")])
        check_text("project.display_name", request.project.display_name, most=100)
        row = await api_keys.create_project(
            self._database,
            project_id=project_id,
            display_name=self._redactor.preview(request.project.display_name, 100),
        )
        if row is None:
            raise ProjectAlreadyExists(project_id)
        return pb.CreateProjectResponse(project=to_project(row))

    async def ListProjects(self, request: pb.ListProjectsRequest, context: Any) -> pb.ListProjectsResponse:
        rows = await api_keys.list_projects(self._database, _own_project())
        return pb.ListProjectsResponse(projects=[to_project(row) for row in rows])

    async def CreateApiKey(self, request: pb.CreateApiKeyRequest, context: Any) -> pb.CreateApiKeyResponse:
        self._check_project(request.project_id)
        check_text("display_name", request.display_name, most=100)
        roles = [_ROLE_NAMES[role] for role in request.roles if 1 <= role < len(_ROLE_NAMES)]
        if not roles or len(roles) != len(request.roles):
            raise InvalidField([("roles", "at least one, each of INGEST, READ, CHAT, ADMIN")])
        expire_time = (
            parse_timestamp("expire_time", request.expire_time) if request.HasField("expire_time") else None
        )
        if expire_time is not None and expire_time <= datetime.now(UTC):
            raise InvalidField([("expire_time", "must be in the future")])
        made = await api_keys.create_api_key(
            self._database,
            project_id=request.project_id,
            roles=roles,
            display_name=self._redactor.preview(request.display_name, 100),
            expire_time=expire_time,
        )
        if made is None:
            raise ProjectNotFound(request.project_id)
        return pb.CreateApiKeyResponse(api_key=to_api_key(made.row), secret=made.secret)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Any) -> pb.ListApiKeysResponse:
        self._check_project(request.project_id)
        if not await api_keys.list_projects(self._database, request.project_id):
            raise ProjectNotFound(request.project_id)
        rows = await api_keys.list_api_keys(self._database, request.project_id)
        return pb.ListApiKeysResponse(api_keys=[to_api_key(row) for row in rows])

    async def RevokeApiKey(self, request: pb.RevokeApiKeyRequest, context: Any) -> pb.RevokeApiKeyResponse:
        api_key_id = parse_uuid("api_key_id", request.api_key_id)
        row = await api_keys.revoke_api_key(self._database, api_key_id, _own_project())
        if row is None:
            raise ApiKeyNotFound(request.api_key_id)
        return pb.RevokeApiKeyResponse(api_key=to_api_key(row))

    @staticmethod
    def _check_project(project_id: str) -> None:
        """Keep a key in its project: of others it learns nothing, not even whether they are there."""
        check_text("project_id", project_id, least=1, most=63)
        if _own_project() not in {None, project_id}:
            raise ProjectNotFound(project_id)


def _own_project() -> str | None:
    """Return the project a key is confined to; None for callers without a key, who administer all."""
    return caller().project_id if caller().api_key_id else None
