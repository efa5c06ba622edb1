"""One request for one account, and what it says about the server."""

from collections.abc import Callable, Mapping
from typing import Any

from fcasync._facts.clock import Clock
from fcasync.bulk._plan import classify
from fcasync.bulk._plan.commands import Command, EnqueueAfter, Send
from fcasync.bulk._plan.events import Accepted, Due, Event, Limited, Seen
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work import log
from fcasync.bulk._work.lane import Lane
from fcasync.bulk._work.silence import Silence, failure
from fcasync.bulk._work.tally import Tally
from fcasync.errors import APIStatusError, FCError, InvalidArgumentError


class Sender:
    """Gives a task its turn on the network, and reports to the pace how it went."""

    def __init__(
        self,
        clock: Clock,
        *,
        decide: Callable[[Task, Event], Command],
        enqueue_after: Callable[[Task, float], None],
        not_sent: Callable[[], None],
        observe: Callable[[Mapping[str, str]], None],
        tally: Tally,
        remedy: str,
    ) -> None:
        """Make a sender.

        Args:
            clock: For the time.
            decide: Returns what to do when it is a task's turn.
            enqueue_after: Lets a task have its turn so many seconds later.
            not_sent: Called when a turn is not used to send the operation.
            observe: Called with the headers of each response, which say what time it is.
            tally: Counts.
            remedy: What to do when an outage ends the run.
        """
        self._clock = clock
        self._decide, self._enqueue_after = decide, enqueue_after
        self._not_sent = not_sent
        self._observe, self._tally = observe, tally
        now = self._clock.monotonic()
        self._silence = Silence(now, remedy)  # of requests that change accounts
        self._darkness = Silence(now, remedy)  # of those that look

    async def exchange(self, lane: Lane, task: Task) -> Event | None:
        """Send what the plan says, and return what came of it; None if it puts the task off."""
        match self._decide(task, Due()):
            case Send(key):
                return await self._send(lane, task, key)
            case EnqueueAfter(seconds):
                self._not_sent()
                lane.network.pace.lost()
                self._enqueue_after(task, seconds)
                return None
            case _:
                self._not_sent()
                lane.network.pace.lost()
                return await self._look(lane, task)

    async def _send(self, lane: Lane, task: Task, key: str) -> Event:
        sent_at = self._clock.monotonic()
        self._tally.send(sent_at, is_retry=task.strikes > 0)
        try:
            response = await lane.network.send(task.account_id, key)
        except InvalidArgumentError:
            # Of the session, or of a hook's header: no account could be sent.
            lane.network.pace.lost()
            raise
        except FCError as error:
            return self._failed(lane, error, sent_at)
        except BaseException:
            lane.network.pace.lost()
            raise
        self._answered(lane, self._silence)
        self._heard(lane, response.headers, sent_at)
        self._tally.replays += response.idempotent_replayed
        return Accepted(response.value, response.idempotent_replayed)

    def _failed(self, lane: Lane, error: FCError, sent_at: float) -> Event:
        event = classify.after_sending(error)
        if isinstance(error, APIStatusError):
            self._heard(lane, error.headers, sent_at, event)
            self._tally.rate_limited += isinstance(event, Limited)
            self._tally.replays += error.idempotent_replayed
        else:
            lane.network.pace.lost()
        return self._judge(lane, self._silence, event, error)

    def _heard(self, lane: Lane, headers: Any, sent_at: float, event: Event | None = None) -> None:
        """Take from a response what it says about the server: its time, and its limit."""
        now = self._clock.monotonic()
        self._observe(headers)
        if not isinstance(event, Limited):
            lane.network.pace.answered(sent_at, now, limited=False)
            return
        lane.network.pace.answered(sent_at, now, limited=True, reason=event.reason)
        if limit := lane.news_of_limit():
            log.learnt(limit, lane.stripe_account)

    async def _look(self, lane: Lane, task: Task) -> Event:
        try:
            response = await lane.network.retrieve(task.account_id)
        except InvalidArgumentError:
            raise
        except FCError as error:
            event = classify.after_looking(error)
            return self._judge(lane, self._darkness, event, error)
        self._answered(lane, self._darkness)
        self._observe(response.headers)
        return Seen(response.value)

    def _answered(self, lane: Lane, silence: Silence) -> None:
        silence.ends(self._clock.monotonic())
        lane.brake.good()
        self._tally.brake.good()

    def _judge(self, lane: Lane, silence: Silence, event: Event, error: FCError) -> Event:
        """Return *event* with what *error*, which has led to it, has to do with an outage."""
        now = self._clock.monotonic()
        kind = failure(event, error)
        for brake in (lane.brake, self._tally.brake):
            if kind is None:
                brake.good()
            else:
                brake.failed(now, kind)
        return silence.judge(event, error, now)
