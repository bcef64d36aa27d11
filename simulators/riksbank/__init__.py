"""The Riksbank's rates (SWEA) and the ECB's reference rates, simulated in one process.

`python -m simulators.riksbank --port P --data FILE.db`; described in ../riksbank.md.
"""
