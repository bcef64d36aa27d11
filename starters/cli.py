"""`lagerbro`: every command a person or a script needs. Here they are put together; each group has a module of its own."""

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from domain.errors import Refused
from erp.database import DATABASE_ERRORS, is_away
from starters.cli_articles import articles
from starters.cli_connect import connect_command
from starters.cli_connection import connection
from starters.cli_correct import correct_command, corrections_command, park_command, token
from starters.cli_cost import cost
from starters.cli_doctor import doctor_command
from starters.cli_entities import entity
from starters.cli_keys import keys
from starters.cli_merchant import merchant
from starters.cli_notes import notes
from starters.cli_orders import erp, orders
from starters.cli_people import digest_command, explain_command, retry_command, stuck_command, ui
from starters.cli_purchase_corrections import purchases
from starters.cli_rates import rates
from starters.cli_reconcile import reconcile
from starters.cli_returns import returns
from starters.cli_stack import NOT_RUNNING, WRONG, adopt_running_stack, down, nothing_runs, status, up, wait
from starters.cli_verify import verify_command
from starters.cli_vouchers import tie_out_command, vouchers
from starters.stack import StackError
from starters.stack.home import HomeError
from starters.stack.postgres import PostgresError
from starters.stack.temporal import TemporalMissing
from worker.keyring import KeyRingError
from worker.settings import SettingsError

SAID = (SettingsError, HomeError, StackError, PostgresError, TemporalMissing, KeyRingError, Refused)

app = typer.Typer(
    name="lagerbro",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Joins an ERP, a third-party warehouse (Ongoing WMS) and Fortnox accounting.

    Commands work on the stack that runs in the state folder, or on the installation that LAGERBRO_* and TEMPORAL_* name.
    Exit codes: 0 done, 1 something is wrong and the text names it, 2 the command was not understood, 3 nothing runs.""",
)


@app.callback()
def before(
    home: Annotated[
        Path | None, typer.Option("--home", help="The state folder; LAGERBRO_HOME, or .lagerbro, without it.")
    ] = None,
) -> None:
    """Find the stack that the command is about."""
    if home is not None:
        os.environ["LAGERBRO_HOME"] = str(home)
    adopt_running_stack()


# Groups and commands of other modules are added here, one line each.
app.command("up")(up)
app.command("down")(down)
app.command("status")(status)
app.command("wait")(wait)
app.command("verify")(verify_command)
app.command("stuck")(stuck_command)
app.command("explain")(explain_command)
app.command("retry")(retry_command)
app.command("digest")(digest_command)
app.command("connect")(connect_command)
app.command("doctor")(doctor_command)
app.command("correct")(correct_command)
app.command("corrections")(corrections_command)
app.command("park-address")(park_command)
app.add_typer(notes, name="note")
app.add_typer(ui, name="ui")
app.add_typer(token, name="token")
app.add_typer(orders, name="order")
app.add_typer(articles, name="article")
app.add_typer(returns, name="return")
app.add_typer(purchases, name="purchase")
app.add_typer(erp, name="erp")
app.add_typer(rates, name="rates")
app.add_typer(cost, name="cost")
app.add_typer(connection, name="connection")
app.add_typer(entity, name="entity")
app.add_typer(merchant, name="merchant")
app.add_typer(keys, name="keys")
app.add_typer(vouchers, name="voucher")
app.add_typer(reconcile, name="reconcile")
app.command("tie-out")(tie_out_command)


def main() -> None:
    """Run a command; what can be said in a sentence is never a traceback."""
    try:
        app()
    except SettingsError as why:
        better = nothing_runs(why)
        _end(better or str(why), NOT_RUNNING if better else WRONG)
    except SAID as why:
        _end(str(why), WRONG)
    except DATABASE_ERRORS as why:
        if is_away(why):
            _end("The database does not answer: `lagerbro status` shows what is not up.", NOT_RUNNING)
        _end(f"The database refuses: {getattr(why, 'orig', why)}", WRONG)
    except (ConnectionError, TimeoutError) as why:
        _end(f"No answer ({type(why).__name__}): `lagerbro status` shows what is not up.", NOT_RUNNING)
    except RuntimeError as why:
        if not str(why).startswith("Failed client connect"):
            raise
        _end("Temporal does not answer: `lagerbro status` shows what is not up.", NOT_RUNNING)


def _end(text: str, code: int) -> NoReturn:
    Console(stderr=True, emoji=False).print(escape(text), style="red", highlight=False, soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
