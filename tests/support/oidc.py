"""A provider of OpenID Connect, for tests of the login. Its key is made when it starts."""

from __future__ import annotations

import base64
import hashlib
import html
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.support.ports import free_port

CLIENT_ID = "llm-observe"
_FORM = '<form method="post"><button name="email" value="{0}">{0}</button></form>'
_TOKEN_TTL_S = 86_400


class Provider:
    """Asks who is there, with a button for each of ``users`` and one to refuse, and issues ID tokens."""

    def __init__(self, *users: str) -> None:
        self.users = users
        self.client_secret = secrets.token_urlsafe()
        self.token_age_s = 0
        """How long ago the next token was issued, in seconds."""
        self.claims: dict[str, object] = {}
        """More claims of the next token, or others."""
        self.ended_sessions = 0
        self.address = f"127.0.0.1:{free_port()}"
        self._key = RSAKey.generate_key(2048, {"kid": "test", "use": "sig"})
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def issuer(self) -> str:
        return f"http://{self.address}"

    def secrets_toml(self, app_address: str) -> str:
        """Return Streamlit's secrets for an app at an address."""
        return (
            f'[auth]\nredirect_uri = "http://{app_address}/oauth2callback"\n'
            f'cookie_secret = "{secrets.token_urlsafe(32)}"\n'
            f'client_id = "{CLIENT_ID}"\nclient_secret = "{self.client_secret}"\n'
            f'server_metadata_url = "{self.issuer}/.well-known/openid-configuration"\n'
        )

    @contextmanager
    def serving(self) -> Iterator[Provider]:
        port = int(self.address.rpartition(":")[2])
        server = uvicorn.Server(uvicorn.Config(self._app(), port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield self
        finally:
            server.should_exit = True
            thread.join()

    def _app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._metadata),
                Route("/authorize", self._authorize, methods=["GET", "POST"]),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
                Route("/logout", self._logout),
            ]
        )

    async def _metadata(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "end_session_endpoint": f"{self.issuer}/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT_ID
        if request.method == "GET":
            # The icon is given, so that the browser does not ask for one.
            buttons = "".join(_FORM.format(html.escape(user)) for user in (*self.users, "refuse"))
            return HTMLResponse(f'<link rel="icon" href="data:,"><title>Provider</title>{buttons}')
        email = str((await request.form())["email"])
        code = secrets.token_urlsafe()
        self._codes[code] = asked | {"email": email}
        answer = {"error": "access_denied"} if email == "refuse" else {"code": code}
        back = f"{asked['redirect_uri']}?{urlencode({**answer, 'state': asked['state']})}"
        return RedirectResponse(back, status_code=303)

    async def _token(self, request: Request) -> Response:
        form = await request.form()
        asked = self._codes.pop(str(form["code"]))
        credentials = base64.b64encode(f"{CLIENT_ID}:{self.client_secret}".encode()).decode()
        assert request.headers["authorization"] == f"Basic {credentials}"
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked["code_challenge"]
        issued = int(time.time()) - self.token_age_s
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": asked["email"],
            "email": asked["email"],
            "email_verified": True,
            "nonce": asked["nonce"],
            "iat": issued,
            "exp": issued + self.token_age_s + _TOKEN_TTL_S,
            **self.claims,
        }
        token = jwt.encode({"alg": "RS256", "kid": "test"}, claims, self._key)
        return JSONResponse(
            {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": token}
        )

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self._key.as_dict(private=False)]})

    async def _logout(self, request: Request) -> Response:
        self.ended_sessions += 1
        return RedirectResponse(request.query_params["post_logout_redirect_uri"], status_code=303)
