"""The embedded stack: every server and process of the system on one machine, started and supervised by one."""

from starters.stack.stack import Stack, StackError

__all__ = ["Stack", "StackError"]
