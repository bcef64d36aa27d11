"""How long we wait for whom, and how often we ask again. One place, in words.

A step is tried briskly for as long as `PATIENCE`, then it says that it waits and goes on slowly, for as long as it takes:
there is no time at which an order fails.
"""

from datetime import timedelta

from temporalio.common import RetryPolicy

ORDERS_QUEUE = "orders"
ONGOING_QUEUE = "ongoing"
FORTNOX_QUEUE = "fortnox"

PATIENCE = timedelta(minutes=10)
SOON = RetryPolicy(initial_interval=timedelta(seconds=1), backoff_coefficient=2, maximum_interval=timedelta(minutes=1))
LATER = RetryPolicy(initial_interval=timedelta(minutes=2), backoff_coefficient=2, maximum_interval=timedelta(minutes=30))

UNATTENDED = timedelta(minutes=5)
SELDOM = timedelta(hours=2)

ONE_STEP = timedelta(minutes=3)
LONG_STEP = timedelta(minutes=30)
SIGN_OF_LIFE = timedelta(seconds=6)
OUR_OWN_DATABASE = timedelta(seconds=30)
