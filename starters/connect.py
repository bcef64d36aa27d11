"""The merchant `demo` of the embedded stack: connected to the simulators, with credentials that exist nowhere else."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from erp.database import Database
from starters.merchants import NewMerchant, WebhookAddress, connect_merchant
from worker.settings import Settings
from worker.temporal import connect

MERCHANT = "demo"
GOODS_OWNER_ID = 77
TENANT_ID = 123456
SECRETS_FILE = "demo-secrets.json"


async def connect_demo(settings: Settings, addresses: Mapping[str, str]) -> None:
    """Make the demo merchant, or bring it up to date with today's addresses. Safe to repeat.

    `addresses` holds the base addresses of `ongoing`, `fortnox` and `intake`. The merchant's secrets are made once and kept
    under the state folder, readable by its owner only.
    """
    known = _secrets(settings.home)
    webhook = WebhookAddress(known["webhook_path"], known["webhook_token"])
    await _prepare_simulators(addresses, known)
    erp, app = Database(settings.database("erp"), pool_size=2), Database(settings.database("app"), pool_size=2)
    try:
        client = await connect(settings)
        await connect_merchant(
            erp,
            app,
            settings.key_ring(),
            client,
            NewMerchant(
                merchant_id=MERCHANT,
                name="Demohandel AB",
                ongoing={"base_url": addresses["ongoing"], "warehouse": MERCHANT, "goods_owner_id": GOODS_OWNER_ID},
                ongoing_credentials={"username": "WSIdemo", "password": known["ongoing_password"]},
                fortnox={
                    "base_url": addresses["fortnox"],
                    "token_url": addresses["fortnox"],
                    "tenant_id": TENANT_ID,
                    "rate_window": known["rate_window"],
                },
                fortnox_credentials={"client_id": "lagerbro-demo", "client_secret": known["fortnox_secret"]},
                settings=known["settings"],
            ),
            webhook,
        )
    finally:
        await erp.close()
        await app.close()


def _secrets(home: Path) -> dict[str, Any]:
    file = home / SECRETS_FILE
    if not file.exists():
        webhook = WebhookAddress.new()
        file.touch(mode=0o600)
        file.write_text(
            json.dumps(
                {
                    "ongoing_password": secrets.token_urlsafe(24),
                    "fortnox_secret": secrets.token_urlsafe(24),
                    "webhook_path": webhook.path,
                    "webhook_token": webhook.token,
                    "rate_window": {"requests": 25, "seconds": 0.05},
                    "settings": {"short_grace_seconds": 3, "rate_currencies": ["EUR", "USD"]},
                }
            ),
            encoding="utf-8",
        )
    return dict(json.loads(file.read_text(encoding="utf-8")))


async def _prepare_simulators(addresses: Mapping[str, str], known: Mapping[str, Any]) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:

        async def put(system: str, path: str, body: dict[str, object]) -> None:
            answer = await http.put(f"{addresses[system]}/_control/{path}", json=body)
            answer.raise_for_status()

        await put(
            "ongoing",
            "goods-owners",
            {
                "warehouse": MERCHANT,
                "goodsOwnerId": GOODS_OWNER_ID,
                "name": "Demohandel AB",
                "username": "WSIdemo",
                "password": known["ongoing_password"],
            },
        )
        for kind in ("order", "picking"):
            await put(
                "ongoing",
                "webhooks",
                {
                    "goodsOwnerId": GOODS_OWNER_ID,
                    "type": kind,
                    "url": f"{addresses['intake']}{known['webhook_path']}",
                    "token": known["webhook_token"],
                    "retryPolicy": "OneDay",
                    "enabled": True,
                },
            )
        await put(
            "fortnox",
            "companies",
            {
                "tenantId": TENANT_ID,
                "name": "Demohandel AB",
                "organisationNumber": "556000-0001",
                "clientId": "lagerbro-demo",
                "clientSecret": known["fortnox_secret"],
            },
        )
        await put("fortnox", "settings", {"tenantId": TENANT_ID, "rateWindow": known["rate_window"]})
