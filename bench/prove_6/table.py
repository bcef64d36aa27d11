"""Every cell of the table of corrections, each three times in a row and at once with another.

python -m bench.prove_6.table
"""

import os
import subprocess
import sys

from bench.prove_1.stand import REPOSITORY
from domain.corrections import Name, Situation


def main() -> int:
    files = [
        "tests/domain/test_corrections.py",
        "tests/workflows/test_corrections.py",
        "tests/workflows/test_correction_table.py",
    ]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", *files]
    done = subprocess.run(command, cwd=REPOSITORY, env=os.environ | {"PROVE_FULL": "1"}, check=False)
    verdict = "NOT proved" if done.returncode else "proved"
    print(f"{verdict}: {len(Name)} corrections in {len(Situation)} places, {len(Name) * len(Situation)} cells")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
