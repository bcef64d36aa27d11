"""Fortnox away for a day on the business clock, with 300 orders under way.

python -m bench.prove_6.day_without_fortnox [--orders 300]
"""

import argparse
import os
import subprocess
import sys

from bench.prove_1.stand import REPOSITORY


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=300)
    given = parser.parse_args()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "tests/workflows/test_day_without_fortnox.py"]
    done = subprocess.run(command, cwd=REPOSITORY, env=os.environ | {"PROVE_ORDERS": str(given.orders)}, check=False)
    verdict = "NOT proved" if done.returncode else "proved"
    print(f"{verdict}: a day without Fortnox, {given.orders} orders under way")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
