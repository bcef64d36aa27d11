"""`make prove-2`: articles and orders in step, one line for each point; exit code 1 where one falls short.

python -m bench.prove_2              all of it; takes half an hour
python -m bench.prove_2 --only 3,5   these points
python -m bench.prove_2 --small      small sizes: does the proof itself work?
"""

import sys

from bench.proofs import Steps, run
from bench.prove_2 import abuse, articles, latency, permutations, tenants, webhooks

STEPS: Steps = {
    "1": [lambda small: webhooks.prove(12 if small else 60)],
    "2": [lambda small: permutations.prove(12 if small else None)],
    "3": [articles.prove],
    "4": [abuse.prove],
    "5": [latency.prove],
    "6": [tenants.prove],
}

if __name__ == "__main__":
    sys.exit(run(__doc__, STEPS))
