"""Who gets in: tokens, scopes, content types, and the rate window."""

import base64
import json
import time
from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from tests.simulators.fortnox.harness import Company, eventually, parsed


def claims(token: str) -> dict[str, object]:
    middle = token.split(".")[1]
    decoded: dict[str, object] = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    return decoded


def unauthorised(response: httpx.Response) -> bool:
    return response.status_code == 401 and parsed(response) == {"message": "unauthorized"}


def test_client_credentials_give_a_token_that_names_its_company_and_its_end(company: Company) -> None:
    answer = company.token(scope="invoice customer")
    assert "refresh_token" not in answer
    assert (answer["scope"], answer["expires_in"], answer["token_type"]) == ("invoice customer", 3600, "bearer")
    told = claims(answer["access_token"])
    assert told["tenantId"] == company.tenant
    assert told["scopes"] == ["invoice", "customer"]
    assert told["sub"] == f"1@{company.tenant}"
    assert 3590 < int(str(told["exp"])) - time.time() < 3610


def test_wrong_credentials_are_told_in_plain_text(company: Company) -> None:
    refused = company.ask_token(secret="wrong")
    assert refused.status_code == 401
    assert refused.headers["content-type"].startswith("text/plain")
    assert parsed(refused) == {"error": "invalid_client", "error_description": "The client credentials are invalid"}


@pytest.mark.parametrize("tenant", ["", "1", "abc"])
def test_a_company_that_never_consented_gets_no_token(company: Company, tenant: str) -> None:
    assert company.ask_token(tenant=tenant).status_code == 400


def test_an_expired_a_revoked_and_a_forged_token_are_refused_alike(company: Company) -> None:
    assert company.send("GET", "companyinformation").status_code == 200
    head, middle, _ = company.token()["access_token"].split(".")
    company.use(f"{head}.{middle}.AAAA")
    assert unauthorised(company.send("GET", "companyinformation"))
    company.use(company.token()["access_token"])
    company.simulator.ask("POST", "expire-tokens", {"tenantId": company.tenant})
    assert unauthorised(company.send("GET", "companyinformation"))
    company.use(company.token()["access_token"])
    assert company.send("GET", "companyinformation").status_code == 200
    company.simulator.ask("POST", "revoke-consent", {"tenantId": company.tenant})
    assert unauthorised(company.send("GET", "companyinformation"))
    assert company.ask_token().status_code == 400
    company.http.headers.pop("authorization")
    assert unauthorised(company.send("GET", "companyinformation"))


def test_a_token_ends_by_itself_when_its_life_is_over(company: Company) -> None:
    company.knobs(tokenLifetime=1)
    company.use(company.token()["access_token"])
    eventually(lambda: unauthorised(company.send("GET", "companyinformation")), "the token has ended")


def code_of(company: Company) -> str:
    body = {"tenantId": company.tenant, "redirectUri": "https://erp.example/back", "scopes": ["invoice"]}
    return str(company.simulator.ask("POST", "authorization-codes", body)["code"])


def exchange(company: Company, code: str) -> httpx.Response:
    return company.ask_token(grant_type="authorization_code", code=code, redirect_uri="https://erp.example/back")


def refresh(company: Company, token: str) -> httpx.Response:
    return company.ask_token(grant_type="refresh_token", refresh_token=token)


def test_a_code_works_once_and_a_refresh_token_rotates(company: Company) -> None:
    code = code_of(company)
    first = parsed(exchange(company, code))
    assert exchange(company, code).status_code == 400
    second = parsed(refresh(company, first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"]
    company.use(first["access_token"])
    assert company.send("GET", "invoices").status_code == 200

    def reuse_is_refused() -> bool:
        # Within the same instant a second use succeeds, and ends the pair before it.
        again = refresh(company, first["refresh_token"])
        if again.status_code == 200:
            second.update(parsed(again))
        return again.status_code == 400 and again.headers["content-type"].startswith("text/html")

    eventually(reuse_is_refused, "a used refresh token is dead")
    assert refresh(company, second["refresh_token"]).status_code == 200


def test_of_two_refreshes_at_one_instant_only_the_last_pair_works(company: Company) -> None:
    def both() -> tuple[httpx.Response, httpx.Response] | None:
        token = parsed(exchange(company, code_of(company)))["refresh_token"]
        one, other = refresh(company, token), refresh(company, token)
        return (one, other) if other.status_code == 200 else None

    one, other = eventually(both, "two refreshes fall on the same instant")
    assert refresh(company, parsed(one)["refresh_token"]).status_code == 400
    assert refresh(company, parsed(other)["refresh_token"]).status_code == 200


def test_a_revoked_refresh_token_is_dead(company: Company) -> None:
    token = parsed(exchange(company, code_of(company)))["refresh_token"]
    form = {"token_type_hint": "refresh_token", "token": token}
    revoked = company.http.post("/oauth-v1/revoke", auth=(company.client_id, company.secret), data=form)
    assert parsed(revoked) == {"revoked": True}
    assert refresh(company, token).status_code == 400


def test_the_consent_page_sends_back_a_code(company: Company) -> None:
    query = {"client_id": company.client_id, "redirect_uri": "https://erp.example/back", "scope": "invoice", "state": "s1"}
    back = company.http.get("/oauth-v1/auth", params=query)
    assert back.status_code == 302
    target = httpx.URL(back.headers["location"])
    assert target.params["state"] == "s1"
    assert exchange(company, target.params["code"]).status_code == 200
    refused = company.http.get("/oauth-v1/auth", params={**query, "scope": "invoice salary"})
    assert httpx.URL(refused.headers["location"]).params["error"] == "invalid_scope"


@pytest.mark.parametrize(
    ("path", "code"), [("invoices", 2001393), ("vouchers", 2002455), ("suppliers", 2003275), ("articles", 2000663)]
)
def test_a_missing_scope_is_forbidden_with_the_code_of_its_register(company: Company, path: str, code: int) -> None:
    company.use(company.token(scope="customer")["access_token"])
    assert company.send("GET", "customers").status_code == 200
    assert company.refusal("GET", path, status=403) == code


def test_scopes_outside_the_consent_are_dropped_or_refused_as_set(open_company: Callable[..., Company]) -> None:
    company = open_company(scopes=["customer"])
    assert company.token(scope="customer invoice")["scope"] == "customer"
    company.knobs(unconsentedScopes="refused")
    assert parsed(company.ask_token(scope="customer invoice"))["error"] == "invalid_scope"


def test_only_json_is_spoken(company: Company) -> None:
    def code(**headers: str) -> Decimal:
        response = company.http.post("/3/customers", headers=headers, content=b"{}")
        assert response.status_code == 400
        return Decimal(parsed(response)["ErrorInformation"]["code"])

    assert code(accept="application/pdf", **{"content-type": "application/json"}) == 1000030
    assert code(**{"content-type": "text/xml"}) == 1000031
    assert code(**{"content-type": "application/json"}) == 2001392


def test_a_path_that_does_not_exist_and_a_method_that_is_not_there(company: Company) -> None:
    assert company.send("GET", "unicorns").status_code == 404
    assert company.send("DELETE", "invoices/1").status_code == 405
    assert company.send("GET", "invoices/").status_code == 200


def test_the_26th_request_in_the_window_is_refused_and_the_window_slides(open_company: Callable[..., Company]) -> None:
    company = open_company()
    company.knobs(rateWindow={"requests": 25, "seconds": 60}, retryAfter=3)
    assert [company.send("GET", "companyinformation").status_code for _ in range(26)] == [200] * 25 + [429]
    refused = company.send("GET", "companyinformation")
    assert (refused.status_code, refused.headers["retry-after"], refused.content) == (429, "3", b"")
    company.knobs(rateWindow={"requests": 25, "seconds": 0.3})
    eventually(lambda: company.send("GET", "companyinformation").status_code == 200, "the window has slid")


def test_a_refused_request_is_not_carried_out_and_no_window_ever_holds_more_than_the_limit(company: Company) -> None:
    company.simulator.ask("DELETE", "log")
    company.knobs(rateWindow={"requests": 10, "seconds": 0.2})
    until = time.monotonic() + 1
    statuses = []
    while time.monotonic() < until:
        statuses.append(company.send("POST", "invoices", {"Invoice": company.invoice_body()}).status_code)
    assert {201, 429} == set(statuses)
    assert len(company.state()["invoices"]) == statuses.count(201)
    summary = company.simulator.ask("GET", "log/summary?windowSeconds=0.2")
    assert summary["maxInWindow"] == 10
    assert summary["refused429"] == statuses.count(429)


def test_the_window_is_shared_by_all_tokens_of_a_client_but_not_by_companies(open_company: Callable[..., Company]) -> None:
    one, other = open_company(), open_company()
    for company in (one, other):
        company.knobs(rateWindow={"requests": 2, "seconds": 60})
    for _ in range(2):
        one.use(one.token()["access_token"])
        assert one.send("GET", "companyinformation").status_code == 200
    one.use(one.token()["access_token"])
    assert one.send("GET", "companyinformation").status_code == 429
    assert other.send("GET", "companyinformation").status_code == 200


def test_a_company_sees_nothing_of_another(open_company: Callable[..., Company]) -> None:
    one, other = open_company(), open_company()
    one.customer()
    number = one.invoice()["DocumentNumber"]
    assert other.refusal("GET", f"invoices/{number}", status=404) == 2000434
    assert other.call("GET", "customers")["Customers"] == []
    told = other.call("GET", "companyinformation")["CompanyInformation"]
    assert (told["DatabaseNumber"], told["CompanyName"]) == (other.tenant, f"Bolag {other.tenant} AB")
