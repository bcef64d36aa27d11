"""A new merchant from a document: checked whole, tried on the other systems without keeping anything, then connected."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import text

from clients.fortnox import ClientCredentials, FortnoxClient
from clients.ongoing import OngoingClient
from clients.sftp import SftpClient, read_host_key, read_private_key
from clients.transport import new_http
from domain.errors import Refused
from domain.merchant import MerchantSettings
from erp.database import Database, one
from starters.doctor import Finding
from starters.doctor.accounting import examine_accounting
from starters.doctor.company import Company
from starters.doctor.finding import bad
from starters.doctor.sftp import examine_sftp
from starters.doctor.warehouse import examine_warehouse
from starters.merchants import NewMerchant

ONGOING_ADDRESS = "https://api.ongoingsystems.se"
FORTNOX_ADDRESS = "https://api.fortnox.se"
FORTNOX_TOKENS = "https://apps.fortnox.se"
SECRETS = {"ongoing": ("username", "password"), "fortnox": ("client_id", "client_secret"), "sftp": ("password", "private_key")}
SFTP = ("host", "port", "folder", "username", "host_key")
TEXTS = ("merchant_id", "name", "currency", "country", "time_zone")

QUESTIONS: tuple[tuple[str, str, str | None], ...] = (
    ("merchant_id", "Id of the merchant, a short word in small letters", None),
    ("name", "Its name", None),
    ("currency", "The currency of its books", "SEK"),
    ("country", "Its country", "SE"),
    ("time_zone", "Its time zone", "Europe/Stockholm"),
    ("ongoing.base_url", "Address of Ongoing", ONGOING_ADDRESS),
    ("ongoing.warehouse", "Name of the warehouse, as in the address where people log in", None),
    ("ongoing.goods_owner_id", "Goods owner id, a number", None),
    ("ongoing.username", "API user of Ongoing", None),
    ("ongoing.password", "Its password", None),
    ("fortnox.base_url", "Address of Fortnox", FORTNOX_ADDRESS),
    ("fortnox.token_url", "Address of Fortnox for tokens", FORTNOX_TOKENS),
    ("fortnox.tenant_id", "Tenant id of the company in Fortnox, a number", None),
    ("fortnox.client_id", "Client id of the integration", None),
    ("fortnox.client_secret", "Client secret", None),
)
"""What is asked step by step: the place in the document, the question, what is taken when nothing is said."""

_THERE = text(
    """
    select exists (select from bridge.connection where merchant_id = :m) as connected,
      exists (select from bridge.webhook_endpoint where merchant_id = :m and enabled) as webhook
    """
)


@dataclass(frozen=True, slots=True)
class Held:
    """What is there of the merchant already."""

    connected: bool
    webhook: bool


async def held(database: Database, merchant: str) -> Held:
    """What is there of the merchant already. `database` is the app's role."""
    async with database.merchant(merchant) as session:
        row = await one(session, _THERE, m=merchant)
    return Held(bool(row.connected), bool(row.webhook))


def read_document(document: Any) -> NewMerchant:
    """The merchant of a document. Raises `Refused` naming every place that is wrong."""
    if not isinstance(document, Mapping):
        raise Refused("settings-wrong", "the document is not one JSON object")
    faults = [f"{name} is not known" for name in document if name not in (*TEXTS, "ongoing", "fortnox", "sftp", "settings")]
    faults += [f"{name} is missing" for name in ("merchant_id", "name") if not document.get(name)]
    faults += [f"{name} must be a text" for name in TEXTS if not isinstance(document.get(name, ""), str)]
    ongoing = {"base_url": ONGOING_ADDRESS} | _part(document, "ongoing", faults)
    fortnox = {"base_url": FORTNOX_ADDRESS, "token_url": FORTNOX_TOKENS} | _part(document, "fortnox", faults)
    needed = {
        "ongoing": ("base_url", "warehouse", "goods_owner_id", "username", "password"),
        "fortnox": ("base_url", "token_url", "tenant_id", "client_id", "client_secret"),
    }
    for system, part in (("ongoing", ongoing), ("fortnox", fortnox)):
        faults += [f"{system}.{name} is missing" for name in needed[system] if part.get(name) in (None, "")]
        known = {*needed[system], "rate_window"}
        faults += [f"{system}.{name} is not known" for name in part if name not in known]
        for name in ("base_url", "token_url"):
            if name in part and not str(part[name]).startswith(("https://", "http://")):
                faults.append(f"{system}.{name} is no address like {ONGOING_ADDRESS}")
    for part, name in ((ongoing, "goods_owner_id"), (fortnox, "tenant_id")):
        if part.get(name) not in (None, "") and not str(part[name]).isdecimal():
            faults.append(f"{name} is {part[name]!r}, not a number")
    sftp = ({"port": 22} | _part(document, "sftp", faults)) if document.get("sftp") is not None else {}
    faults += _sftp_faults(sftp) if sftp else []
    faults += _settings_faults(document.get("settings", {}))
    if faults:
        raise Refused("settings-wrong", "; ".join(faults))
    return NewMerchant(
        **{name: document[name] for name in TEXTS if name in document},
        ongoing={name: value for name, value in ongoing.items() if name not in SECRETS["ongoing"]}
        | {"goods_owner_id": int(ongoing["goods_owner_id"])},
        ongoing_credentials={name: str(ongoing[name]) for name in SECRETS["ongoing"]},
        fortnox={name: value for name, value in fortnox.items() if name not in SECRETS["fortnox"]}
        | {"tenant_id": int(fortnox["tenant_id"])},
        fortnox_credentials={name: str(fortnox[name]) for name in SECRETS["fortnox"]},
        settings=dict(document.get("settings", {})),
        sftp={name: value for name, value in sftp.items() if name not in SECRETS["sftp"]},
        sftp_credentials={name: str(sftp[name]) for name in SECRETS["sftp"] if sftp.get(name)},
    )


def _part(document: Mapping[str, Any], name: str, faults: list[str]) -> dict[str, Any]:
    part = document.get(name, {})
    if isinstance(part, Mapping):
        return dict(part)
    faults.append(f"{name} is not an object")
    return {}


def _sftp_faults(part: Mapping[str, Any]) -> list[str]:
    faults = [f"sftp.{name} is not known" for name in part if name not in (*SFTP, *SECRETS["sftp"])]
    faults += [f"sftp.{name} is missing" for name in SFTP if part.get(name) in (None, "")]
    texts = [name for name in (*SFTP, *SECRETS["sftp"]) if name != "port"]
    wrong = [name for name in texts if not isinstance(part.get(name, ""), str)]
    faults += [f"sftp.{name} must be a text" for name in wrong]
    if type(part["port"]) is not int or not 0 < part["port"] < 65536:
        faults.append(f"sftp.port is {part['port']!r}, not a number from 1 to 65535")
    if len([name for name in SECRETS["sftp"] if part.get(name)]) != 1:
        faults.append("sftp needs a password or a private_key, and not both")
    for name, reads in (("host_key", read_host_key), ("private_key", read_private_key)):
        if part.get(name) and name not in wrong:
            try:
                reads(part[name])
            except ValueError as fault:
                faults.append(f"sftp.{name} is {fault}")
    if not part.get("host_key"):
        faults.append("the host key is what ssh-keyscan HOST says, when the server's owner has told you the same")
    return faults


def _settings_faults(settings: Any) -> list[str]:
    if not isinstance(settings, Mapping):
        return ["settings is not an object"]
    try:
        MerchantSettings.of(settings)
    except Refused as fault:
        return [str(fault)]
    return []


async def try_out(merchant: NewMerchant, deadline: float) -> list[Finding]:
    """Ask the systems with what the document says, as the doctor does. Nothing is kept, here or there."""
    settings = MerchantSettings.of(merchant.settings)
    try:
        today = datetime.now(ZoneInfo(merchant.time_zone)).date()
    except (KeyError, ValueError):
        return [bad("time-zone", f"{merchant.time_zone!r} is no time zone", "Give one like Europe/Stockholm.")]
    where, secret = merchant.ongoing, merchant.ongoing_credentials
    base = f"{str(where['base_url']).rstrip('/')}/{where['warehouse']}/api/v1/"
    warehouse = OngoingClient(
        new_http(base, auth=(secret["username"], secret["password"])), where["goods_owner_id"], deadline=deadline
    )
    token = ClientCredentials(
        new_http(merchant.fortnox["token_url"]),
        client_id=merchant.fortnox_credentials["client_id"],
        client_secret=merchant.fortnox_credentials["client_secret"],
        tenant_id=merchant.fortnox["tenant_id"],
    )
    accounting = FortnoxClient(new_http(merchant.fortnox["base_url"]), token, deadline=deadline)
    company = Company(today, settings, merchant.currency, [], ["25"])
    try:
        found = await examine_warehouse(warehouse, where, settings, [])
        found += await examine_accounting(accounting, merchant.fortnox, company)
        if merchant.sftp:
            password, private_key = (merchant.sftp_credentials.get(name) for name in SECRETS["sftp"])
            files = SftpClient(**merchant.sftp, password=password, private_key=private_key, deadline=deadline)
            found.append(await examine_sftp(files))
        return found
    finally:
        await warehouse.aclose()
        await accounting.aclose()


def shown(merchant: NewMerchant) -> dict[str, Any]:
    """The merchant as it may be shown: without its credentials."""
    return {each.name: getattr(merchant, each.name) for each in fields(merchant) if not each.name.endswith("_credentials")}
