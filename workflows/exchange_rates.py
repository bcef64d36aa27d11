"""One merchant's exchange rates, fetched each banking day by a schedule.

It waits, like every process of ours: for a bank that does not answer, for a rate that is late, for a person where a rate is not
believed. A run that waits goes on fetching what comes meanwhile, so the days behind it miss nothing.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.rates import ExchangeRates, FetchRates, RateConfirmation, RatesFetched
    from domain.text import keepable
    from workflows import options
    from workflows.patient import Patient

AGAIN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class RatesKey:
    """The merchant whose rates are fetched."""

    merchant: str


@workflow.defn
class FetchExchangeRates(Patient):
    """Fetch until every rate that must be there by now is there."""

    def __init__(self) -> None:
        super().__init__()
        self._confirmed: list[RateConfirmation] = []

    @workflow.run
    async def run(self, key: RatesKey) -> RatesFetched:
        """Returns up to which day the rates are there. Never fails."""
        self.merchant, self.kind, self.document = key.merchant, "exchange-rates", key.merchant
        self._stage = "fetching"
        fetched: RatesFetched = await self.step(
            ExchangeRates.fetch_exchange_rates,
            lambda: FetchRates(key.merchant, list(self._confirmed)),
            "Fetch exchange rates",
            options.ORDERS_QUEUE,
            try_again_after=AGAIN,
        )
        self._tell(f"{fetched.currencies} currencies up to {fetched.up_to}, {fetched.added} rates added")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return fetched

    @workflow.update(
        description='A rate that is not believed is right. {"by": "...", "reason": "...", "currency": "EUR", "on": "2026-03-16", '
        '"value": "11.2345"}'
    )
    async def confirm_rate(self, confirmation: RateConfirmation) -> str:
        """A rate that is not believed is right, as it was published. Refused unless one is doubted."""
        self._confirm(confirmation)
        return f"{confirmation.currency} {confirmation.on} {confirmation.value} is taken as right, and tried again"

    @confirm_rate.validator
    def _may_confirm(self, confirmation: RateConfirmation) -> None:
        self._must_be_blocked()
        named = f"{confirmation.currency} {confirmation.on}"
        if self._blocked != "exchange-rate-implausible" or named not in self._blocked_text:
            raise ApplicationError(f"{named} is not in doubt: {self._blocked_text}", type="not-in-doubt")
        said = confirmation.by.strip() and confirmation.reason.strip() and keepable(confirmation.by, confirmation.reason)
        if not said or confirmation.value <= 0:
            raise ApplicationError("say who confirms it (by), why (reason), and the value as published", type="incomplete")

    @workflow.signal(name="confirm_rate", description="The same as the update.")
    def confirm_rate_signal(self, confirmation: dict[str, Any]) -> None:
        """The same as the update; what is not in doubt, or incomplete, is left alone and told."""
        try:
            read = _confirmation(confirmation)
            self._may_confirm(read)
        except (ApplicationError, KeyError, ValueError, TypeError, ArithmeticError) as why:
            self._tell(f"a confirmation was not understood: {why}")
            return
        self._confirm(read)

    def _confirm(self, confirmation: RateConfirmation) -> None:
        self._confirmed.append(confirmation)
        self._decided(confirmation.by, f"{confirmation.currency} {confirmation.on} is right: {confirmation.reason}")


def _confirmation(given: dict[str, Any]) -> RateConfirmation:
    return RateConfirmation(
        str(given["by"]),
        str(given["reason"]),
        str(given["currency"]),
        date.fromisoformat(str(given["on"])),
        Decimal(str(given["value"])),
    )
