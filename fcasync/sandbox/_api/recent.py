"""The latest requests with what was sent and what came back, for people who look into one."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import attrs

from fcasync.sandbox._api.calls import Reply
from fcasync.sandbox._api.messages import Request

Owner = tuple[str, str]
"""Whose world it is: a digest of the API key, and the connected account."""

LONGEST = 1000
"""Requests kept, of all worlds together; the oldest go first."""
CUT = 16_384
"""Bytes kept of a body."""
# Never Authorization: what is kept here is shown.
_SHOWN = ("content-type", "stripe-account", "stripe-context", "stripe-version", "user-agent")


@attrs.frozen
class Exchange:
    """One request and its answer, as far as they are kept."""

    query: str
    headers: Mapping[str, str]
    """Those of the request that change what it means, and who sent it."""
    body: bytes
    body_size: int
    """Bytes that were sent."""
    answer_headers: Mapping[str, str]
    answer: bytes
    answer_size: int
    """Bytes that the whole answer has, before a fault did something to it."""


class Recent:
    """The latest exchanges of all worlds; memory is bounded however many worlds there are."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        """Exchanges kept."""
        self._kept: OrderedDict[tuple[Owner, int], tuple[Any, ...]] = OrderedDict()
        """The fields of each exchange, by owner and number of the ledger's row, oldest first."""

    def add(self, owner: Owner, number: int, request: Request, reply: Reply) -> None:
        """Keep what belongs to row *number* of the owner's ledger."""
        sent, answer = request.headers, reply.body
        # A tuple is made faster than an Exchange, and this happens with every request.
        self._kept[owner, number] = (
            request.query[:CUT],
            {name: sent[name] for name in _SHOWN if name in sent},
            request.body[:CUT],
            len(request.body),
            reply.headers,
            # A copy, for orjson's bytes keep the memory that they were written into: 8 kB for 1 kB.
            bytes(memoryview(answer)[:CUT]),
            len(answer),
        )
        if len(self._kept) > self._longest:
            self._kept.popitem(last=False)

    def find(self, owner: Owner, number: int) -> Exchange | None:
        """Return what is kept of row *number*, or None."""
        kept = self._kept.get((owner, number))
        return None if kept is None else Exchange(*kept)

    def forget(self, owner: Owner) -> None:
        """Drop what is kept of a world."""
        for place in [place for place in self._kept if place[0] == owner]:
            del self._kept[place]
