"""The doctor finds each planted misconfiguration by name, and nothing on a healthy merchant.

python -m bench.prove_6.doctor
"""

import subprocess
import sys

from bench.prove_1.stand import REPOSITORY


def main() -> int:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "tests/starters/doctor/test_doctor.py"]
    done = subprocess.run(command, cwd=REPOSITORY, check=False)
    print(f"{'NOT proved' if done.returncode else 'proved'}: every planted misconfiguration is found by name")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
