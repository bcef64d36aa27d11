"""`lagerbro doctor`: whether a merchant's connections and settings will carry its orders.

It asks both systems and changes nothing.
"""

from starters.doctor.finding import Finding
from starters.doctor.run import examine

__all__ = ["Finding", "examine"]
