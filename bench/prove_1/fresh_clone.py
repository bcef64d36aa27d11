"""Point 1: a fresh clone, `make demo` and `make test`, green, twice in a row.

The clone gets ../shared beside it, as the repository has. It runs as whoever runs the proof; the other kind of user (root or
a normal one) is named as not tried.
"""

import os
import re
import subprocess
import tempfile
import time
from pathlib import Path

from bench.prove_1.proof import Proof
from bench.prove_1.stand import REPOSITORY

COMMANDS = ("demo", "test")
TIMES = 2
LONGEST_SECONDS = 1800
VARIABLES_LEFT_OUT = re.compile(r"^(LAGERBRO_|TEMPORAL_|VIRTUAL_ENV$|PYTHONPATH$|MAKE|MFLAGS$)")


def prove(small: bool) -> Proof:
    """Clone, and run what a newcomer runs. Small: once instead of twice."""
    took: list[str] = []
    short: list[str] = []
    environment = {name: value for name, value in os.environ.items() if not VARIABLES_LEFT_OUT.match(name)}
    with tempfile.TemporaryDirectory(prefix="lagerbro-proof-") as folder:
        Path(folder).chmod(0o755)
        clone = Path(folder) / "lagerbro"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(REPOSITORY), str(clone)], check=True)
        shared = REPOSITORY.parent / "shared"
        if shared.exists():
            (Path(folder) / "shared").symlink_to(shared)
        for turn in range(1, (1 if small else TIMES) + 1):
            for command in COMMANDS:
                began = time.monotonic()
                code, last = _make(clone, command, environment)
                took.append(f"{command} {time.monotonic() - began:.0f} s")
                if code:
                    short.append(f"make {command}, turn {turn}, ended with {code}: {last}")
    ran_as, other = ("root", "a normal user") if os.geteuid() == 0 else ("a normal user", "root")
    figure = f"{', '.join(took)}, as {ran_as} (not tried here: as {other})"
    return Proof("1", "a fresh clone, make demo and make test", figure, tuple(short))


def _make(clone: Path, command: str, environment: dict[str, str]) -> tuple[int, str]:
    try:
        done = subprocess.run(
            ["make", command], cwd=clone, env=environment, capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 1, f"not done after {LONGEST_SECONDS} s"
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return done.returncode, " / ".join(lines[-5:])[:600]
