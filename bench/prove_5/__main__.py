"""`make prove-5`: the daily reconciliation, one line for each point; exit code 1 where one falls short.

python -m bench.prove_5              all of it; takes three quarters of an hour
python -m bench.prove_5 --only 1,4   these points
python -m bench.prove_5 --small      small sizes: does the proof itself work?
"""

import sys

from bench.proofs import Steps, run
from bench.prove_5 import divergences, files, outages, report, volume

STEPS: Steps = {
    "1": [divergences.prove],
    "2": [outages.prove],
    "3": [files.prove],
    "4": [volume.prove],
    "5": [report.prove],
}

if __name__ == "__main__":
    sys.exit(run(__doc__, STEPS))
