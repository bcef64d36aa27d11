"""`python -m bench.prove_6`: every proof about people, one after the other; exit code 1 where one falls short."""

import subprocess
import sys

from bench.prove_1.stand import REPOSITORY

MODULES = ("browser", "table", "day_without_fortnox", "doctor", "planted_faults")


def main() -> int:
    failed = 0
    for name in MODULES:
        failed |= subprocess.run([sys.executable, "-m", f"bench.prove_6.{name}"], cwd=REPOSITORY, check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
