"""Set up the database of an installation, or check that migrations and models agree.

python -m starters.migrate upgrade    roles, schemas and tables, on LAGERBRO_OWNER_DATABASE_URL; LAGERBRO_PASSWORDS holds
                                      the passwords of the login roles: {"app": "...", "relay": "...", ...}
python -m starters.migrate check      builds a scratch database with the migrations and compares it with erp/tables/
"""

import asyncio
import json
import sys

from erp.migrate import LOGINS, check, prepare
from worker.settings import Settings, SettingsError


def passwords(settings: Settings) -> dict[str, str]:
    """The passwords of the login roles; refuses a set that lacks one."""
    if settings.passwords is None:
        raise SettingsError(
            f"LAGERBRO_PASSWORDS is not set: give a JSON object with {', '.join(LOGINS)}, or LAGERBRO_PASSWORDS_FILE"
        )
    try:
        given = dict(json.loads(settings.passwords.get_secret_value()))
    except (ValueError, TypeError):
        raise SettingsError("LAGERBRO_PASSWORDS is not a JSON object of role and password") from None
    missing = [login for login in LOGINS if not given.get(login)]
    if missing:
        raise SettingsError(f"LAGERBRO_PASSWORDS lacks {', '.join(missing)}")
    return {login: str(given[login]) for login in LOGINS}


def main(arguments: list[str]) -> int:
    settings = Settings.from_environment()
    try:
        match arguments:
            case ["upgrade"]:
                prepare(settings.database("owner"), passwords(settings))
            case ["check"]:
                found = asyncio.run(check(settings.database("owner")))
                for difference in found:
                    print("models and migrations differ:", difference, file=sys.stderr)
                return 1 if found else 0
            case _:
                print(__doc__)
                return 2
    except SettingsError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
