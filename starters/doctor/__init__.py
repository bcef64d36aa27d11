"""`lagerbro doctor`: whether a merchant's connections and settings will carry its orders.

It asks both systems and changes nothing there; what it saw of how the warehouse counts is kept.
"""

from starters.doctor.finding import Finding
from starters.doctor.run import examine

__all__ = ["Finding", "examine"]
