"""A stateful Financial Connections server on this machine, for tests, demonstrations and notebooks.

async with Sandbox(accounts=25, seed=0) as sandbox:
    client = fcasync.Client(sandbox.api_key, base_url=sandbox.url)
"""

from fcasync._facts.public import show_as
from fcasync.sandbox._api.faults import Fault
from fcasync.sandbox._api.rates import RateLimit
from fcasync.sandbox._api.scenarios import SCENARIOS
from fcasync.sandbox._controls import ConnectedAccount
from fcasync.sandbox._sandbox import Sandbox
from fcasync.sandbox._server.saved import StateError

__all__ = ["SCENARIOS", "ConnectedAccount", "Fault", "RateLimit", "Sandbox", "StateError"]

show_as(__name__, __all__, globals())
