"""Ongoing: address, credentials, goods owner, statuses of all documents, causes of returns, warehouses, carriers, clock."""

from collections.abc import Mapping, Sequence
from typing import Any

from clients.errors import ApiError, NotFound, Rejected, Unauthorised, Unavailable
from clients.ongoing import OngoingClient, OrderStatus
from domain.merchant import MerchantSettings
from starters.doctor.clock import clock_agrees
from starters.doctor.finding import GREEN, RED, Finding, bad, good, later
from starters.doctor.names import examine_names, lock_too_high, taken_for_another

NEEDED = ("open", "sent", "cancelled")


async def examine_warehouse(
    client: OngoingClient, where: Mapping[str, Any], settings: MerchantSettings, used_ways: list[str]
) -> list[Finding]:
    """What the warehouse says to our credentials, and whether the merchant's mapping fits it."""
    found = [await clock_agrees("ongoing-clock", str(where["base_url"]))]
    try:
        statuses = await client.order_statuses()
    except Unauthorised as refusal:
        remedy = "Correct the credentials (lagerbro connection set ongoing --credentials FILE), or warehouse of the connection."
        return [*found, bad("ongoing-credentials", str(refusal), remedy)]
    except NotFound as refusal:
        remedy = "Correct base_url and warehouse of the connection: the name in the address with which people log in."
        return [*found, bad("ongoing-address", str(refusal), remedy)]
    except Unavailable as silence:
        remedy = "Correct base_url of the connection, or see whether the warehouse's system is up."
        return [*found, bad("ongoing-address", str(silence), remedy)]
    found += [good("ongoing-address", "answers"), good("ongoing-credentials", "accepted")]
    statuses_found = _statuses("ongoing-statuses", "statuses", settings.statuses, statuses, NEEDED)
    if statuses_found.state == GREEN:
        statuses_found = lock_too_high("ongoing-statuses", settings, statuses) or statuses_found
    found.append(statuses_found)
    owner = await _goods_owner(client)
    if owner.state == RED:
        return [*found, owner]
    return [*found, owner, await _carriers(client, settings, used_ways), *await _others(client, settings)]


async def _others(client: OngoingClient, settings: MerchantSettings) -> list[Finding]:
    """Purchases, returns and the reconciliation: what the warehouse numbers and names for them."""

    async def purchases() -> Finding:
        theirs = await client.purchase_order_statuses()
        needed = ("received", "cancelled")
        return _statuses("ongoing-purchase-statuses", "purchase_statuses", settings.purchase_statuses, theirs, needed)

    async def returns() -> Finding:
        theirs = await client.return_order_statuses()
        needed = ("returned", "cancelled")
        return _statuses("ongoing-return-statuses", "return_statuses", settings.return_statuses, theirs, needed)

    async def causes() -> Finding:
        theirs = sorted({cause.code for cause in await client.return_causes() if cause.code})
        if settings.return_causes and (unknown := [code for code in theirs if code not in settings.return_causes]):
            remedy = "Say in the merchant's settings (return_causes) what goods that come back for them are fit for."
            said = f"the warehouse has causes without a meaning here: {', '.join(unknown)}"
            if strange := [code for code in settings.return_causes if code not in theirs]:
                said += f"; the settings name some that it does not have: {', '.join(strange)}"
            return bad("ongoing-return-causes", said, remedy)
        if theirs and (strange := [code for code in settings.return_causes if code not in theirs]):
            remedy = "Correct return_causes in the merchant's settings to the warehouse's codes, or take them out."
            there = f"the warehouse does not have; it has {', '.join(theirs)}"
            return later("ongoing-return-causes", f"the settings name causes that {there}: {', '.join(strange)}", remedy)
        return good("ongoing-return-causes", f"{len(theirs)} causes" if settings.return_causes else "not told apart: none is set")

    async def houses() -> Finding:
        theirs = {house.warehouse_id for house in await client.warehouses()}
        if lacking := [number for number in settings.reconciling.warehouse_ids if number not in theirs]:
            remedy = "Correct reconciliation.warehouse_ids in the merchant's settings."
            there = f"there are {', '.join(map(str, sorted(theirs)))}"
            return bad("ongoing-warehouses", f"no warehouse has the number {', '.join(map(str, lacking))}; {there}", remedy)
        return good("ongoing-warehouses", f"{len(theirs)} there")

    found = []
    for name, look in (
        ("ongoing-purchase-statuses", purchases),
        ("ongoing-return-statuses", returns),
        ("ongoing-return-causes", causes),
        ("ongoing-warehouses", houses),
        ("ongoing-names", lambda: examine_names(client, settings)),
    ):
        try:
            found.append(await look())
        except ApiError as refusal:
            found.append(later(name, f"cannot be seen: {refusal}", "Ask the warehouse to let this user read it."))
    return found


def _statuses(
    name: str, setting: str, mapped: Mapping[str, str], listed: Sequence[OrderStatus], needed: Sequence[str]
) -> Finding:
    ours = {int(number): meaning for number, meaning in mapped.items()}
    theirs = {status.number: status.text or "" for status in listed}
    unknown = sorted(set(theirs) - set(ours))
    if unknown:
        names = ", ".join(f"{number} ({theirs[number]})" for number in unknown)
        remedy = f"Give each a meaning in the merchant's settings ({setting})."
        return bad(name, f"the warehouse uses statuses without a meaning here: {names}", remedy)
    there = {meaning for number, meaning in ours.items() if number in theirs}
    if lacking := [meaning for meaning in needed if meaning not in there]:
        remedy = f"Correct the numbers in the merchant's settings ({setting}) to those of the warehouse."
        return bad(name, f"no status of the warehouse means {' or '.join(lacking)}", remedy)
    if swapped := taken_for_another(setting, ours, theirs):
        remedy = f"Correct {setting} in the merchant's settings, unless this warehouse uses the word otherwise."
        return later(name, "; ".join(swapped), remedy)
    return good(name, f"{len(theirs)} statuses, each with its meaning")


async def _goods_owner(client: OngoingClient) -> Finding:
    remedy = "Correct goods_owner_id of the connection: the number that the warehouse gave for this company."
    try:
        await client.find_order("lagerbro-doctor-asks")
    except (Rejected, ApiError) as refusal:
        return bad("ongoing-goods-owner", str(refusal), remedy)
    return good("ongoing-goods-owner", "its orders can be read")


async def _carriers(client: OngoingClient, settings: MerchantSettings, used_ways: list[str]) -> Finding:
    try:
        contracts = await client.transporter_contracts()
    except Rejected as refusal:
        return bad("ongoing-transporters", str(refusal), "Ask the warehouse to let this user read its carriers.")
    if not contracts:
        return bad(
            "ongoing-transporters", "no carrier is set up", "Ask the warehouse to set up the carriers of this goods owner."
        )
    services = {
        contract.transporter_code: {service.transporter_service_code for service in contract.transporter_services}
        | {contract.transporter_service_code}
        for contract in contracts
    }
    mapped: Mapping[str, Any] = getattr(settings, "transporters", {})
    wrong = []
    for name, ours in mapped.items():
        if ours["code"] not in services:
            wrong.append(f"{name} is {ours['code']}, which the warehouse does not have")
        wrong += [
            f"{name}/{service} is {code}, which {ours['code']} does not have"
            for service, code in (ours.get("services") or {}).items()
            if code not in services.get(ours["code"], set())
        ]
    if wrong:
        return bad("ongoing-transporters", "; ".join(wrong), "Correct transporters in the merchant's settings.")
    ways: Mapping[str, Any] = getattr(settings, "ways_of_delivery", {})
    if ways and (unmapped := sorted(set(used_ways) - set(ways))):
        remedy = "Add them to ways_of_delivery in the merchant's settings."
        return bad("ongoing-transporters", f"orders use ways of delivery without a meaning: {', '.join(unmapped)}", remedy)
    if used_ways and not ways:
        remedy = "Add them to ways_of_delivery in the merchant's settings: what is not there is not sent."
        return bad("ongoing-transporters", f"orders use ways of delivery, and none has a meaning: {', '.join(used_ways)}", remedy)
    return good("ongoing-transporters", f"{len(services)} carriers")
