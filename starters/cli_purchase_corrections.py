"""Commands that correct a purchase order: any correction by name, and what goods cost in words of its own."""

import json
from typing import Annotated

import typer
from rich.markup import escape

from domain.purchase_corrections import EXAMPLES, MEANINGS, SECOND_PERSON, PurchaseName
from starters.cli_purchase_invoices import purchases
from starters.cli_purchases import corrected
from starters.command import By, MerchantId, Reason, console, run_command, wrong

__all__ = ["purchases"]

Purchase = Annotated[str, typer.Argument(help="Purchase order number.")]
Key = Annotated[str, typer.Option("--key", help="Your own key: the same one is done once.")]


@purchases.command("correct")
def correct(
    number: Purchase,
    name: Annotated[str, typer.Argument(help="The correction; `lagerbro purchase corrections` lists them.")],
    by: By,
    reason: Reason,
    content: Annotated[str, typer.Option("--content", help='The rest as JSON, e.g. {"invoice": 57}.')] = "{}",
    key: Key = "",
    merchant: MerchantId = "demo",
) -> None:
    """Correct one purchase order: close_short, correct_cost, approve, reject, and a second person's approve_correction.

    Exit code 0: done (now or before under this key), or it waits for a second person. 1: refused, and why. 3: nothing runs.
    """
    try:
        given = json.loads(content)
        if not isinstance(given, dict):
            raise ValueError
    except ValueError:
        wrong(f"--content is not a JSON object: {content}")
        raise typer.Exit(1) from None
    run_command(corrected(merchant, number, name.replace("-", "_"), by, reason, key, given))


@purchases.command("correct-cost")
def correct_cost(
    number: Purchase,
    by: By,
    reason: Reason,
    receipt: Annotated[str, typer.Option("--receipt", help="A receipt and its row, as 1/1; all that came without it.")] = "",
    unit_cost: Annotated[str, typer.Option("--unit-cost", help="What a piece of that line cost, in the books' currency.")] = "",
    amount: Annotated[str, typer.Option("--amount", "-a", help="How much more (or less: -12.50) it cost.")] = "",
    account: Annotated[
        str, typer.Option("--account", help="The other side; purchase_difference_account of the settings without it.")
    ] = "",
    key: Key = "",
    merchant: MerchantId = "demo",
) -> None:
    """Correct what received goods cost: what is still here takes its share, what is sold the rest.

    After its end too, with a key.

    Exit code 0: done (now or before under this key), or it waits for a second person. 1: refused, and why. 3: nothing runs.
    """
    given = {"receipt": receipt, "unit_cost": unit_cost, "amount": amount, "account": account}
    run_command(corrected(merchant, number, PurchaseName.CORRECT_COST.value, by, reason, key, given))


@purchases.command("corrections")
def corrections_command() -> None:
    """The corrections of a purchase order with what each means and takes. Exit code 0."""
    for name in PurchaseName:
        takes = f"  --content '{json.dumps(EXAMPLES[name])}'" if EXAMPLES[name] else ""
        console.print(f"[bold]{name.value}[/]: {MEANINGS[name]}{escape(takes)}", highlight=False, soft_wrap=True)
    console.print(f"[bold]{SECOND_PERSON}[/]: a second person says yes to what was sent under a key  --key KEY", highlight=False)
