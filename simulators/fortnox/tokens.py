"""Who may ask: the token endpoint, and the check of a bearer token.

Client credentials with a `TenantId` header are the recommended way and have nothing to rotate. The code flow is there
with its traps: single-use refresh tokens, and two refreshes at one instant of which only the last pair works.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from simulators.fortnox.clock import real_seconds
from simulators.fortnox.knobs import KnobShelf
from simulators.fortnox.store import Store
from simulators.fortnox.wire import Answer, Fields, read_json, write_json

REFRESH_LIFETIME = 45 * 24 * 3600
CODE_LIFETIME = 600
SAME_INSTANT = 0.25


@dataclass(frozen=True, slots=True)
class Identity:
    """The client and company behind a request, and what the consent covers."""

    tenant: int
    client_id: str
    scopes: frozenset[str]
    expires: float
    epoch: int


class Tokens:
    """Issues and checks tokens; consents live in the store."""

    def __init__(self, store: Store, shelf: KnobShelf) -> None:
        self._store = store
        self._shelf = shelf
        self._known: dict[str, Identity] = {}
        self._secret = self._signing_key()

    def forget(self) -> None:
        self._known.clear()
        self._secret = self._signing_key()

    def _signing_key(self) -> bytes:
        key = self._store.value("SELECT value FROM world WHERE name = 'signing key'")
        if key is None:
            key = secrets.token_hex(32)
            self._store.run("INSERT INTO world VALUES ('signing key', ?)", key)
        return bytes.fromhex(str(key))

    def check(self, authorization: str) -> Identity | None:
        """Return whose bearer token this is, or None for one that is missing, expired, revoked or forged."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        identity = self._known.get(token) or self._read(token)
        if identity is None or identity.expires <= real_seconds():
            return None
        epoch = self._store.value(
            "SELECT epoch FROM consent WHERE tenant = ? AND client_id = ? AND active = 1", identity.tenant, identity.client_id
        )
        if epoch != identity.epoch:
            return None
        if len(self._known) > 1000:
            self._known.clear()
        self._known[token] = identity
        return identity

    def token_endpoint(self, headers: Mapping[str, str], raw: bytes) -> tuple[Answer, int | None]:
        """Answer `POST /oauth-v1/token`, and say which company it was for."""
        client = self._client(headers)
        if client is None:
            return _invalid_client(), None
        form = dict(parse_qsl(raw.decode("utf-8", "replace")))
        match form.get("grant_type"):
            case "client_credentials":
                return self._client_credentials(client, headers.get("tenantid", ""), form.get("scope"))
            case "refresh_token":
                return self._refresh(client, form.get("refresh_token", ""))
            case "authorization_code":
                return self._exchange_code(client, form.get("code", ""), form.get("redirect_uri", ""))
        return _error(400, "unsupported_grant_type", "The grant type is not supported"), None

    def revoke_endpoint(self, headers: Mapping[str, str], raw: bytes) -> Answer:
        client = self._client(headers)
        if client is None:
            return _invalid_client()
        form = dict(parse_qsl(raw.decode("utf-8", "replace")))
        self._store.run("UPDATE refresh SET dead = 1 WHERE token = ? AND client_id = ?", form.get("token", ""), client)
        return Answer(200, b'{"revoked":true}')

    def consent_page(self, query: Mapping[str, str]) -> Answer:
        """Play a person who consents at once: redirect back with a code, or with an error."""
        redirect, state = query.get("redirect_uri", ""), query.get("state", "")
        tenant = self._store.value(
            "SELECT tenant FROM consent WHERE client_id = ? ORDER BY tenant LIMIT 1", query.get("client_id", "")
        )
        if tenant is None or not redirect or not state:
            return _error(400, "invalid_request", "client_id, redirect_uri and state are required")
        wanted = query.get("scope", "").split()
        if any(scope not in self._scopes(int(tenant), query["client_id"]) for scope in wanted):
            back = {"error": "invalid_scope", "state": state}
        else:
            back = {"code": self.new_code(int(tenant), query["client_id"], redirect, " ".join(wanted)), "state": state}
        return Answer(302, b"", "text/html", [(b"location", f"{redirect}?{urlencode(back)}".encode())])

    def new_code(self, tenant: int, client_id: str, redirect: str, scopes: str) -> str:
        code = secrets.token_hex(16)
        self._store.run(
            "INSERT INTO code VALUES (?, ?, ?, ?, ?, ?)",
            code,
            tenant,
            client_id,
            redirect,
            scopes,
            real_seconds() + CODE_LIFETIME,
        )
        return code

    def revoke_consent(self, tenant: int, client_id: str | None = None) -> None:
        self._store.run(
            "UPDATE consent SET active = 0, epoch = epoch + 1 WHERE tenant = ? AND client_id = coalesce(?, client_id)",
            tenant,
            client_id,
        )

    def expire_all(self, tenant: int) -> None:
        """Make every access token of a company useless now."""
        self._store.run("UPDATE consent SET epoch = epoch + 1 WHERE tenant = ?", tenant)

    def _client(self, headers: Mapping[str, str]) -> str | None:
        scheme, _, encoded = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except ValueError:
            return None
        known = self._store.all("SELECT client_secret FROM consent WHERE client_id = ?", client_id)
        right = any(hmac.compare_digest(str(row["client_secret"]).encode(), secret.encode()) for row in known)
        return client_id if right else None

    def _client_credentials(self, client_id: str, tenant_text: str, scope: str | None) -> tuple[Answer, int | None]:
        if not tenant_text.isdecimal():
            return _error(400, "invalid_request", "TenantId header is missing"), None
        tenant = int(tenant_text)
        granted = self._scopes(tenant, client_id)
        if not granted:
            return _error(400, "invalid_grant", "The client has no consent for the tenant"), None
        wanted = scope.split() if scope else granted
        if any(name not in granted for name in wanted):
            if self._shelf.of(tenant)["unconsentedScopes"] == "refused":
                return _error(400, "invalid_scope", "The requested scope is not consented"), tenant
            wanted = [name for name in wanted if name in granted]
        lifetime = int(self._shelf.of(tenant)["tokenLifetime"])
        body = {
            "access_token": self._issue(tenant, client_id, wanted, lifetime),
            "expires_in": lifetime,
            "token_type": "bearer",
            "scope": " ".join(wanted),
        }
        return Answer(200, write_json(body).encode()), tenant

    def _refresh(self, client_id: str, token: str) -> tuple[Answer, int | None]:
        row = self._store.one("SELECT * FROM refresh WHERE token = ? AND client_id = ?", token, client_id)
        now = real_seconds()
        refused = _error(400, "invalid_grant", "Invalid refresh token", "text/html; charset=UTF-8")
        if row is None or row["dead"] or row["expires"] <= now or not self._scopes(row["tenant"], client_id):
            return refused, row["tenant"] if row else None
        if row["used"] is not None:
            if now - row["used"] > SAME_INSTANT:
                return refused, row["tenant"]
            self._store.run("UPDATE refresh SET dead = 1 WHERE token = ?", row["replaced_by"])
        answer, fresh = self._pair(row["tenant"], client_id, str(row["scopes"]))
        self._store.run("UPDATE refresh SET used = coalesce(used, ?), replaced_by = ? WHERE token = ?", now, fresh, token)
        return answer, row["tenant"]

    def _exchange_code(self, client_id: str, code: str, redirect: str) -> tuple[Answer, int | None]:
        row = self._store.one("SELECT * FROM code WHERE code = ?", code)
        if row is None or row["client_id"] != client_id or row["redirect_uri"] != redirect or row["expires"] <= real_seconds():
            return _error(400, "invalid_grant", "Authorization code doesn't exist or is invalid for the client"), None
        self._store.run("DELETE FROM code WHERE code = ?", code)
        return self._pair(row["tenant"], client_id, str(row["scopes"]))[0], row["tenant"]

    def _pair(self, tenant: int, client_id: str, scopes: str) -> tuple[Answer, str]:
        fresh = secrets.token_hex(20)
        self._store.run(
            "INSERT INTO refresh (token, tenant, client_id, scopes, expires) VALUES (?, ?, ?, ?, ?)",
            fresh, tenant, client_id, scopes, real_seconds() + REFRESH_LIFETIME,
        )  # fmt: skip
        lifetime = int(self._shelf.of(tenant)["tokenLifetime"])
        body = {
            "access_token": self._issue(tenant, client_id, scopes.split(), lifetime),
            "refresh_token": fresh,
            "scope": scopes,
            "expires_in": lifetime,
            "token_type": "bearer",
        }
        return Answer(200, write_json(body).encode()), fresh

    def _scopes(self, tenant: int, client_id: str) -> list[str]:
        scopes = self._store.value(
            "SELECT scopes FROM consent WHERE tenant = ? AND client_id = ? AND active = 1", tenant, client_id
        )
        return str(scopes or "").split()

    def _issue(self, tenant: int, client_id: str, scopes: list[str], lifetime: int) -> str:
        now = int(real_seconds())
        epoch = self._store.value("SELECT epoch FROM consent WHERE tenant = ? AND client_id = ?", tenant, client_id)
        claims = {
            "userId": 1, "tenantId": tenant, "clientId": client_id, "scopes": scopes, "iat": now, "exp": now + lifetime,
            "sub": f"1@{tenant}",
            "iss": "https://api.fortnox.se/oauth2", "jti": f"{epoch}-{secrets.token_hex(8)}",
        }  # fmt: skip
        head = _encoded(b'{"alg":"HS256","typ":"JWT"}')
        signed = f"{head}.{_encoded(write_json(claims).encode())}"
        return f"{signed}.{_encoded(hmac.digest(self._secret, signed.encode(), hashlib.sha256))}"

    def _read(self, token: str) -> Identity | None:
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(
            _encoded(hmac.digest(self._secret, signed.encode(), hashlib.sha256)).encode(), signature.encode()
        ):
            return None
        middle = signed.partition(".")[2]
        claims: Fields = read_json(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
        return Identity(
            int(claims["tenantId"]),
            claims["clientId"],
            frozenset(claims["scopes"]),
            float(claims["exp"]),
            int(claims["jti"].partition("-")[0]),
        )


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _error(status: int, error: str, description: str, content_type: str = "application/json") -> Answer:
    return Answer(status, write_json({"error": error, "error_description": description}).encode(), content_type)


def _invalid_client() -> Answer:
    return _error(401, "invalid_client", "The client credentials are invalid", "text/plain;charset=UTF-8")
