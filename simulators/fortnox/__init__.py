"""Fortnox as another company runs it: the accounting API over a socket, with its books kept in one SQLite file.

It knows what `apis/fortnox.md` states as certain, and has a knob for what nobody has verified. It imports nothing
of the product, so it cannot share a misunderstanding with it.
"""
