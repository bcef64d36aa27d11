"""A healthy shop, connected to both simulators, with its watcher running."""

from tests.activities.conftest import erp, fortnox, http, ongoing, shop, verify, workers

__all__ = ["erp", "fortnox", "http", "ongoing", "shop", "verify", "workers"]
