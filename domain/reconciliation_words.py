"""What the classes of a difference, the bookings and the open questions of a reconciliation are called to people.

English with the Swedish term in brackets where an accountant or a warehouse knows the thing by it.
"""

from domain.reconciling import Why

MEANING: dict[str, str] = {
    Why.IN_FLIGHT: "On its way: the warehouse has moved it, our books follow by themselves",
    Why.NOT_POLLED: "Moved in the warehouse after our last look: booked at the next look",
    Why.STUCK: "Moved in the warehouse long ago and still not booked: see why its process stands still",
    Why.ADJUSTED: "Corrected by the warehouse: booked on the account of its cause, or on that for none",
    Why.AFTER_CUT: "Booked by us after the instant of the warehouse's figure",
    Why.NOT_OURS: "Moved on a document that the ERP does not know: find out whose it is",
    Why.OUR_ERROR: "Our balance is not the sum of its entries: run lagerbro verify",
    Why.ABSORBED: "Booked as unknown earlier; its cause has come and the booking is taken back",
    Why.UNIT: "Counted in packages on one side and in pieces on the other: correct the article's unit",
    Why.TWIN: "The opposite difference stands on a number that differs in case, blanks or leading zeros only",
    Why.RENAMED: "The opposite difference stands on the number that replaces this one",
    Why.DEFERRED: "Moving while we looked: compared again in the next run",
    Why.UNKNOWN: "No document explains it (inventeringsdifferens): booked when it stood in two runs and is small, else it waits"
    " for approval",
    Why.PHYSICAL: "Follows from the unknown difference on the shelf",
    Why.LOCKED: "Locked in the warehouse: there, but not for sale",
    Why.HELD: "Held back from sale by the ERP",
    Why.OPEN_ORDER: "Reserved differently on an order: look at the order",
}

NOBODY = "nobody"
ACTS: dict[str, str] = {
    Why.STUCK: "operations: lagerbro stuck",
    Why.NOT_OURS: "operations, with the warehouse",
    Why.OUR_ERROR: "whoever runs Lagerbro",
    Why.UNIT: "who keeps the articles in the ERP",
    Why.TWIN: "who keeps the articles in the ERP",
    Why.RENAMED: "who keeps the articles in the ERP",
    Why.UNKNOWN: "nobody while it is small; else see Approvals",
    Why.LOCKED: "the warehouse, when it should be for sale",
    Why.HELD: "the ERP, when it should be for sale",
    Why.OPEN_ORDER: "operations",
}
"""Who must do something about a class; nobody where it is not named: what is on its way arrives, what has a cause is booked."""

STATE = {
    "waiting": "waits for a person",
    "approved": "approved, booked when it stands still",
    "seen": "seen, looked at again in the next run",
}

WAITS_FOR_ANOTHER = "waits for a second person"
"""What was approved once, and needs another."""

BOOKED = {
    "adjustment": "corrected by the warehouse",
    "unknown": "unknown difference (inventeringsdifferens)",
    "taken back": "earlier booking taken back",
}

KIND = {
    "daily": "daily: may book",
    "on-demand": "asked for by a person: may book",
    "past": "for a day that has passed: explains, books nothing",
    "file": "from a stock file that was delivered",
}

SOURCE = {
    "api": "the warehouse system, asked for each article (api)",
    "history": "the warehouse system's figures of that day (history)",
}
