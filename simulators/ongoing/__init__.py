"""Ongoing WMS as another company runs it: the goods owner REST API v1 and the warehouse behind it.

A client that works against this server works against Ongoing as far as Ongoing is known;
what is not known has a switch (`switches.py`). Nothing of Lagerbro is imported here.
"""
