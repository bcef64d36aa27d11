"""Save histories of today's workflows: `python -m tests.replay.record`, before a workflow is changed and never instead.

Runs `recording.py` on a real server with the simulators. A history that is saved stays: a change that cannot replay it would
break the orders that are under way, and goes behind `workflow.patched`.
"""

import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    sys.exit(pytest.main([str(Path(__file__).with_name("recording.py")), "-p", "no:randomly", *sys.argv[1:]]))
