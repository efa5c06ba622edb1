"""A sandbox on a thread, and a blocking client of it."""

from collections.abc import Iterator

import pytest

from fcasync import blocking
from fcasync.sandbox import Sandbox


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(threaded=True, accounts=250, varied=False, settle_seconds=0.05) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[blocking.Client]:
    with blocking.Client(sandbox.api_key, base_url=sandbox.url) as client:
        yield client
