"""One connected account's part of a run; a job for one account has just one."""

from collections import deque
from collections.abc import Callable
from functools import partial

from fcasync._rules.limits import Limits
from fcasync._rules.rate import Rate
from fcasync.bulk._plan.brake import Brake
from fcasync.bulk._plan.events import Event
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.settler import Settler
from fcasync.bulk._work.window import Live, Window
from fcasync.errors import FCError


class Lane:
    """What is in work for one connected account, and how fast its requests may follow."""

    def __init__(
        self,
        network: Network,
        settings: Settings,
        step: Callable[[Task, Event], None],
        denied: Callable[["Lane", FCError], None],
        *,
        stripe_account: str = "",
    ) -> None:
        """Open a lane.

        Args:
            network: Where its requests go.
            settings: For its rate, and for how long its banks are waited for.
            step: Called with each event of a task.
            denied: Called when the account may not be seen any more.
            stripe_account: The connected account; empty for the job's own.
        """
        self.network = network
        self.stripe_account = stripe_account
        self.live = Live()
        self.settler = Settler(network, settings.wait_timeout, step, partial(denied, self))
        size = settings.window if not stripe_account else settings.window_of_a_tenant
        self.window = Window(size)
        self.queue: deque[Task] = deque()
        """Tasks that wait for their turn."""
        self.in_flight = 0
        self.brake = Brake()
        """Against a server that is down."""
        self.is_in_line = False
        """Whether the schedule knows that a task waits."""
        self.is_closing = False
        """Whether its account was denied."""
        self.barred_by: FCError | None = None
        """Why nothing more is sent for it."""
        self._ceiling = Rate(Limits(max_rate=settings.max_rate))
        self._logged = 0.0  # the rate limit that the log has last named

    @property
    def has_room(self) -> bool:
        """Whether one more request may be in flight."""
        return self.network.pace.has_room

    def reserve(self, now: float) -> float:
        """Take the next slot, and return the seconds until it begins."""
        return max(self.network.pace.reserve(now), self._ceiling.take(now))

    def news_of_limit(self) -> float | None:
        """Return the rate limit as learnt, if it is other than when this last returned it."""
        limit = self.network.pace.limit
        if limit is None or abs(limit - self._logged) <= limit / 5:
            return None
        self._logged = limit
        return limit
