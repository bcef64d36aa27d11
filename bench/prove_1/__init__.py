"""Proofs of the first issue: one module for each point of its list, run by `make prove-1`."""
