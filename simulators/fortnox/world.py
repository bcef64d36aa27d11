"""All that is behind the socket: the books, the clock, the knobs, the rules for who may ask how often."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from simulators.fortnox import routes
from simulators.fortnox.call import Call, Written
from simulators.fortnox.clock import Clock
from simulators.fortnox.faults import Faults
from simulators.fortnox.journal import Journal
from simulators.fortnox.knobs import KnobShelf
from simulators.fortnox.refusals import Refusal, invalid
from simulators.fortnox.store import Store
from simulators.fortnox.tokens import Identity, Tokens
from simulators.fortnox.windows import RateWindows
from simulators.fortnox.wire import Answer, write_json

log = logging.getLogger("simulators.fortnox")


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came over the socket."""

    method: str
    path: str
    segments: list[str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    arrived: float


@dataclass(slots=True)
class Outcome:
    """What a request came to."""

    answer: Answer
    route: str
    tenant: int | None = None
    client: str | None = None
    wrote: list[Written] = field(default_factory=list)
    refused: bool = False


class World:
    """The simulator's state and its one way to carry out a request."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = Clock(store)
        self.knobs = KnobShelf(store)
        self.tokens = Tokens(store, self.knobs)
        self.windows = RateWindows()
        self.faults = Faults(store)
        self.journal = Journal(store, self.clock)

    def reload(self) -> None:
        """Read everything held in memory again, after the file was put back to an earlier state."""
        self.clock.reload()
        self.knobs.forget()
        self.tokens.forget()
        self.faults.reload()

    def call(self, tenant: int, query: Mapping[str, str] | None = None, raw: bytes = b"", stale: float | None = None) -> Call:
        return Call(self.store, tenant, self.knobs.of(tenant), self.clock.now(), dict(query or {}), raw, stale)

    def carry_out(self, request: Request, *, stale: float | None = None, late: bool = False) -> Outcome:
        """Do what is asked, inside the caller's transaction; a refusal or a bug leaves nothing half done."""
        if request.segments[:1] == ["oauth-v1"]:
            return self._oauth(request)
        if request.segments == ["api", "warehouse", "tenants-v4"]:
            return self._warehouse_module(request)
        if request.segments[:1] != ["3"] or len(request.segments) < 2:
            return Outcome(Answer(404, b'{"message":"no Route matched with those values"}'), "unknown")
        identity = self.tokens.check(request.headers.get("authorization", ""))
        route, known = routes.find(request.method, request.segments[1:])
        name = f"/3/{route.pattern}" if route else "unknown"
        if identity is None:
            return Outcome(Answer(401, b'{"message":"unauthorized"}'), name)
        outcome = Outcome(Answer(), name, identity.tenant, identity.client_id)
        knobs = self.knobs.of(identity.tenant)
        # A late request was counted when it was sent; the network, not the client, chose this moment.
        if not late and not self.windows.admit(identity.client_id, identity.tenant, knobs["rateWindow"], request.arrived):
            outcome.refused = True
            outcome.answer = too_many(knobs["rateBody"], knobs["retryAfter"])
            return outcome
        call = self.call(identity.tenant, request.query, request.raw, stale)
        try:
            with self.store.attempt():
                outcome.answer = self._answer(call, request, identity, route, known)
            outcome.wrote = call.wrote
        except Refusal as refusal:
            outcome.answer = refusal.answer()
        except Exception:
            log.exception("a request broke the simulator: %s %s", request.method, name)
            outcome.answer = Refusal(500, 1000003, "System exception").answer()
        return outcome

    def _warehouse_module(self, request: Request) -> Outcome:
        """Whether the warehouse module is on. Decided here, without a source: any valid token may ask."""
        name, identity = "/api/warehouse/tenants-v4", self.tokens.check(request.headers.get("authorization", ""))
        if identity is None or request.method != "GET":
            return Outcome(Answer(401, b'{"message":"unauthorized"}'), name)
        on = self.knobs.of(identity.tenant)["warehouseModule"]
        said = write_json({"activated": on, "tenantId": identity.tenant}).encode()
        return Outcome(Answer(200, said), name, identity.tenant, identity.client_id)

    def _answer(self, call: Call, request: Request, identity: Identity, route: routes.Route | None, known: bool) -> Answer:
        if route is None:
            if known:
                raise Refusal(405, call.knobs.code("noSuchMethod"), "Metoden stöds inte.")
            raise Refusal(404, call.knobs.code("noSuchResource"), "Resursen finns inte.")
        if route.scope not in identity.scopes:
            code = routes.SCOPE_CODES.get(route.scope, routes.GENERAL_SCOPE_CODE)
            raise Refusal(403, code, "Saknar behörighet för efterfrågat scope.")
        _check_types(request)
        given = [segment for part, segment in zip(route.segments, request.segments[1:], strict=True) if part == "*"]
        return route.handler(call, *given)

    def _oauth(self, request: Request) -> Outcome:
        match request.method, request.segments[1:]:
            case "POST", ["token"]:
                answer, tenant = self.tokens.token_endpoint(request.headers, request.raw)
                wrote = [Written("token", "", "")] if answer.status == 200 else []
                return Outcome(answer, "/oauth-v1/token", tenant, wrote=wrote)
            case "POST", ["revoke"]:
                return Outcome(self.tokens.revoke_endpoint(request.headers, request.raw), "/oauth-v1/revoke")
            case "GET", ["auth"]:
                return Outcome(self.tokens.consent_page(request.query), "/oauth-v1/auth")
        return Outcome(Answer(404, b'{"message":"not found"}'), "unknown")


def too_many(body: str, retry_after: object) -> Answer:
    headers = [(b"retry-after", str(retry_after).encode())] if retry_after is not None else []
    return Answer(429, body.encode(), "application/json", headers)


def _check_types(request: Request) -> None:
    """Refuse an `Accept` or `Content-Type` other than JSON, with Fortnox's own codes."""
    accept = request.headers.get("accept", "*/*")
    if not any(kind in accept for kind in ("application/json", "*/*", "application/*")):
        raise invalid(1000030, "Invalid response type")
    if request.raw and request.method in ("POST", "PUT") and "json" not in request.headers.get("content-type", ""):
        raise invalid(1000031, "Invalid content type")
