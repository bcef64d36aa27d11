"""Proofs of the daily reconciliation."""
