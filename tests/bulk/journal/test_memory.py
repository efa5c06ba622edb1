"""What a run without a journal remembers."""

import threading

from fcasync.bulk._journal.memory import Memory
from fcasync.bulk._plan.task import OVER, Row, Task


def test_an_account_is_new_once() -> None:
    """Whoever is named again is over, however many there are in between."""
    memory = Memory()
    answers: list[Row | None] = []
    for _ in range(2):
        for number in range(1000):
            memory.admit(Task(f"fca_{number}", 0), answers.append)
    assert answers == [None] * 1000 + [OVER] * 1000
    memory.close()


def test_nothing_is_waited_for() -> None:
    """Everybody is called back at once, by the very thread that asked."""
    memory, threads = Memory(), []
    memory.admit(Task("fca_1", 0), lambda _: threads.append(threading.get_ident()))
    memory.store(Task("fca_1", 0), lambda: threads.append(threading.get_ident()), seq=1)
    memory.store(Task("fca_1", 0))
    assert threads == [threading.get_ident()] * 2
    memory.close()
