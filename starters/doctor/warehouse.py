"""Ongoing: address, credentials, goods owner, statuses, carriers, clock."""

from collections.abc import Mapping
from typing import Any

from clients.errors import ApiError, NotFound, Rejected, Unauthorised, Unavailable
from clients.ongoing import OngoingClient
from domain.merchant import MerchantSettings
from starters.doctor.clock import clock_agrees
from starters.doctor.finding import RED, Finding, bad, good, later

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
    found += _statuses(settings, {status.number: status.text or "" for status in statuses})
    owner = await _goods_owner(client)
    return [*found, owner] if owner.state == RED else [*found, owner, await _carriers(client, settings, used_ways)]


def _statuses(settings: MerchantSettings, theirs: Mapping[int, str]) -> list[Finding]:
    ours = {int(number): meaning for number, meaning in settings.statuses.items()}
    unknown = sorted(set(theirs) - set(ours))
    if unknown:
        names = ", ".join(f"{number} ({theirs[number]})" for number in unknown)
        remedy = "Give each a meaning in the merchant's settings (statuses)."
        return [bad("ongoing-statuses", f"the warehouse uses statuses without a meaning here: {names}", remedy)]
    there = {meaning for number, meaning in ours.items() if number in theirs}
    if lacking := [meaning for meaning in NEEDED if meaning not in there]:
        remedy = "Correct the numbers in the merchant's settings (statuses) to those of the warehouse."
        return [bad("ongoing-statuses", f"no status of the warehouse means {' or '.join(lacking)}", remedy)]
    return [good("ongoing-statuses", f"{len(theirs)} statuses, each with its meaning")]


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
        return later("ongoing-transporters", f"{len(services)} carriers; the ways {', '.join(used_ways)} are sent as they are")
    return good("ongoing-transporters", f"{len(services)} carriers")
