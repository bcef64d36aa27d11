"""Proofs of returns and credits; each module runs alone."""
