"""What every operation works with: the database, the clock and the switches; and how it answers or refuses."""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from simulators.ongoing import models
from simulators.ongoing.clock import Clock
from simulators.ongoing.switches import Switches
from simulators.ongoing.wire import Unreadable, dumps, read_moment

Json = Any

DAY = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class GoodsOwner:
    id: int
    tenant: str
    name: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a request changed, for the log."""

    kind: str
    id: int
    number: str


@dataclass(slots=True)
class Answer:
    status: int
    text: str
    written: Written | None = None
    content_type: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """The request is refused with this answer, and nothing is changed."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


@dataclass(slots=True)
class Call:
    """One request of a goods owner, read but not yet judged."""

    owner: GoodsOwner
    ids: dict[str, int]
    query: dict[str, list[str]]
    body: Json = None


class EarlierStates:
    """The former state of the documents changed last, for answers out of an old cache. Memory only, the oldest go first."""

    def __init__(self, most: int = 1000) -> None:
        self._states: OrderedDict[tuple[str, int | str], str] = OrderedDict()
        self._most = most

    def keep(self, kind: str, key: int | str, text: str) -> None:
        self._states[kind, key] = text
        self._states.move_to_end((kind, key))
        if len(self._states) > self._most:
            self._states.popitem(last=False)

    def of(self, kind: str, key: int | str) -> str | None:
        return self._states.get((kind, key))


def _nobody_listens(_type: str, _event: str, _row_id: int) -> None:
    """Until somebody writes webhooks."""


@dataclass(slots=True)
class World:
    db: sqlite3.Connection
    clock: Clock
    switches: Switches
    earlier: EarlierStates = field(default_factory=EarlierStates)
    touched_orders: set[int] = field(default_factory=set)
    stocked_owners: set[int] = field(default_factory=set)
    webhooks_waiting: bool = False
    tell: Callable[[str, str, int], None] = _nobody_listens
    """Type of webhook, event, id of the row that it is about: a purchase order, a received item or an adjustment."""

    def now(self) -> int:
        return self.clock.now()

    def forget(self) -> None:
        """Nothing has happened after all: whoever waits for changes need not look."""
        self.touched_orders.clear()
        self.stocked_owners.clear()
        self.webhooks_waiting = False

    def read(self, model: str, body: Json) -> dict[str, Json]:
        """Read a body by its model, or refuse it the way this tenant refuses invalid requests."""
        try:
            return models.read_body(model, body, refuse_unknown=self.switches["unknownFields"] == "refuse")
        except models.Invalid as error:
            self.refuse_invalid(error.problems)

    def refuse_invalid(self, problems: dict[str, str]) -> NoReturn:
        raise Refusal(self.invalid(problems))

    def invalid(self, problems: dict[str, str]) -> Answer:
        sentences = " ".join(f"{path}: {problem}" for path, problem in problems.items())
        match self.switches["validationFailure"]:
            case "model-state":
                state = {path: [problem] for path, problem in problems.items()}
                return Answer(400, dumps({"Message": "The request is invalid.", "ModelState": state}))
            case "message":
                return Answer(400, dumps({"message": sentences}))
            case _:
                return Answer(400, sentences, content_type="text/plain; charset=utf-8")

    def refuse_change(self, id_field: str, sentence: str) -> NoReturn:
        """Refuse an update or a cancellation the way this tenant does."""
        match self.switches["refusedChange"]:
            case "400-message":
                raise Refusal(Answer(400, dumps({"message": sentence})))
            case "409-message":
                raise Refusal(Answer(409, dumps({"message": sentence})))
            case "400-Message":
                raise Refusal(Answer(400, dumps({"Message": sentence})))
            case _:
                raise Refusal(Answer(200, dumps({id_field: None, "message": sentence})))

    def refuse_unknown_id(self, sentence: str) -> NoReturn:
        match self.switches["unknownId"]:
            case "404":
                raise Refusal(Answer(404, ""))
            case "400":
                raise Refusal(Answer(400, dumps({"message": sentence})))
            case _:
                raise Refusal(Answer(200, "null"))

    def after(self, column: str) -> str:
        return f"{column} >= ?" if self.switches["timeBounds"] == "inclusive" else f"{column} > ?"

    def before(self, column: str) -> str:
        return f"{column} <= ?" if self.switches["timeBounds"] == "inclusive" else f"{column} < ?"


def refuse(status: int, sentence: str) -> NoReturn:
    raise Refusal(Answer(status, dumps({"message": sentence})))


def only_owner(call: Call, goods_owner_id: int) -> None:
    if goods_owner_id != call.owner.id:
        refuse(403, f"The user has no access to goods owner {goods_owner_id}.")


class Query:
    """The query parameters of a list, read by kind. Repeated keys are a list; a comma is a character like any other."""

    def __init__(self, world: World, call: Call) -> None:
        self._world, self._values = world, call.query

    def text(self, name: str) -> str | None:
        return self._values[name][0] if self._values.get(name) else None

    def texts(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def whole(self, name: str) -> int | None:
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            self._world.refuse_invalid({name: f"The value '{text}' is not valid for {name}."})

    def wholes(self, name: str) -> list[int]:
        try:
            return [int(text) for text in self.texts(name)]
        except ValueError:
            self._world.refuse_invalid({name: f"The value is not valid for {name}."})

    def moment(self, name: str) -> int | None:
        text = self.text(name)
        if not text:
            return None
        try:
            return read_moment(text)
        except Unreadable:
            self._world.refuse_invalid({name: f"The value '{text}' is not valid for {name}."})

    def recent(self, name: str, oldest: int, sentence: str) -> int | None:
        """Read a moment that may not lie further back than `oldest` milliseconds."""
        moment = self.moment(name)
        if moment is not None and moment < self._world.now() - oldest:
            refuse(400, sentence)
        return moment

    def truth(self, name: str) -> bool | None:
        text = self.text(name)
        if not text:
            return None
        if text.lower() not in ("true", "false"):
            self._world.refuse_invalid({name: f"The value '{text}' is not valid for {name}."})
        return text.lower() == "true"

    def owner(self, call: Call) -> int:
        goods_owner_id = self.whole("goodsOwnerId")
        if goods_owner_id is None:
            self._world.refuse_invalid({"goodsOwnerId": "The goodsOwnerId field is required."})
        only_owner(call, goods_owner_id)
        return goods_owner_id


class Selection:
    """The conditions of a list, collected one by one."""

    def __init__(self, condition: str, *values: Json) -> None:
        self.conditions = [condition]
        self.values: list[Json] = list(values)

    def add(self, condition: str, *values: Json) -> None:
        self.conditions.append(condition)
        self.values.extend(values)

    def among(self, column: str, choices: list[str] | list[int]) -> None:
        if choices:
            self.add(f"{column} IN (SELECT value FROM json_each(?))", json.dumps(choices))

    @property
    def where(self) -> str:
        return " AND ".join(self.conditions)
