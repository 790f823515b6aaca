"""The part of AdminService that manages projects and API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from llm_observe.v1 import admin_service_pb2 as pb
from llm_observe.v1.admin_service_pb2_grpc import AdminServiceServicer

from server.admin.convert import to_api_key, to_project, to_roles
from server.rpc.auth import caller
from server.rpc.checks import check_text, parse_uuid, parse_words
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

    from server.rpc.context import Context
    from storage.pool import Database

_MAX_NAME_CHARS: Final = 100


class KeyAdmin(AdminServiceServicer):
    """Projects and keys. A caller with a key manages the key's project; one without a key, all projects."""

    def __init__(self, database: Database, redactor: Redactor) -> None:
        self._database = database
        self._redactor = redactor

    async def GetCaller(self, request: pb.GetCallerRequest, context: Context) -> pb.GetCallerResponse:
        who = caller()
        rows = await api_keys.list_projects(self._database, who.project_id)
        if not rows:
            raise ProjectNotFound(who.project_id)
        return pb.GetCallerResponse(
            project=to_project(rows[0]), roles=to_roles(who.roles), api_key_id=who.api_key_id
        )

    async def CreateProject(
        self, request: pb.CreateProjectRequest, context: Context
    ) -> pb.CreateProjectResponse:
        # A key is confined to its own project: projects are created without one, or on the command line.
        if caller().api_key_id:
            raise PermissionDenied(
                ["operator"], "an API key cannot create projects: use `llm-observe projects create`"
            )
        project_id = request.project.project_id
        if not api_keys.PROJECT_ID.fullmatch(project_id):
            raise InvalidField([("project.project_id", api_keys.PROJECT_ID_RULE)])
        check_text("project.display_name", request.project.display_name, max_chars=_MAX_NAME_CHARS)
        row = await api_keys.create_project(
            self._database,
            project_id=project_id,
            display_name=self._redactor.preview(request.project.display_name, _MAX_NAME_CHARS),
        )
        if row is None:
            raise ProjectAlreadyExists(project_id)
        return pb.CreateProjectResponse(project=to_project(row))

    async def ListProjects(
        self, request: pb.ListProjectsRequest, context: Context
    ) -> pb.ListProjectsResponse:
        rows = await api_keys.list_projects(self._database, _own_project())
        return pb.ListProjectsResponse(projects=[to_project(row) for row in rows])

    async def CreateApiKey(
        self, request: pb.CreateApiKeyRequest, context: Context
    ) -> pb.CreateApiKeyResponse:
        self._check_project(request.project_id)
        check_text("display_name", request.display_name, max_chars=_MAX_NAME_CHARS)
        roles = parse_words("roles", request.roles, pb.ApiKeyRole)
        if not roles:
            raise InvalidField([("roles", "must contain at least one role")])
        expire_time = (
            parse_timestamp("expire_time", request.expire_time) if request.HasField("expire_time") else None
        )
        if expire_time is not None and expire_time <= datetime.now(UTC):
            raise InvalidField([("expire_time", "must be in the future")])
        created = await api_keys.create_api_key(
            self._database,
            project_id=request.project_id,
            roles=roles,
            display_name=self._redactor.preview(request.display_name, _MAX_NAME_CHARS),
            expire_time=expire_time,
        )
        if created is None:
            raise ProjectNotFound(request.project_id)
        return pb.CreateApiKeyResponse(api_key=to_api_key(created.key), secret=created.secret)

    async def ListApiKeys(self, request: pb.ListApiKeysRequest, context: Context) -> pb.ListApiKeysResponse:
        self._check_project(request.project_id)
        if not await api_keys.list_projects(self._database, request.project_id):
            raise ProjectNotFound(request.project_id)
        rows = await api_keys.list_api_keys(self._database, request.project_id)
        return pb.ListApiKeysResponse(api_keys=[to_api_key(row) for row in rows])

    async def RevokeApiKey(
        self, request: pb.RevokeApiKeyRequest, context: Context
    ) -> pb.RevokeApiKeyResponse:
        api_key_id = parse_uuid("api_key_id", request.api_key_id)
        row = await api_keys.revoke_api_key(self._database, api_key_id, _own_project())
        if row is None:
            raise ApiKeyNotFound(request.api_key_id)
        return pb.RevokeApiKeyResponse(api_key=to_api_key(row))

    @staticmethod
    def _check_project(project_id: str) -> None:
        """Refuse other projects to a key. It does not even learn whether they exist."""
        check_text("project_id", project_id, min_chars=1, max_chars=63)
        if _own_project() not in {None, project_id}:
            raise ProjectNotFound(project_id)


def _own_project() -> str | None:
    """Return the project that the caller's key is confined to; None for callers without a key."""
    return caller().project_id if caller().api_key_id else None
