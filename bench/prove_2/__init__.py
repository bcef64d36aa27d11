"""The proofs of the second issue, each a module that runs alone and prints one line."""
