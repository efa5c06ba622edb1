"""The public names of ``fcasync``; imported when the first of them is used."""

from fcasync import errors, models
from fcasync._facts.public import show_as
from fcasync._rules.limits import Limits
from fcasync._rules.request import API_VERSION, Answer, Request, Response
from fcasync._rules.retry_policy import RetryPolicy
from fcasync._version import __version__
from fcasync._wire.protocol import Transport
from fcasync.client import Client
from fcasync.errors import *  # noqa: F403 - errors.__all__ is the list
from fcasync.models import *  # noqa: F403 - models.__all__ is the list
from fcasync.models._convert import to_dict
from fcasync.resources._balance_check import BalanceCheck
from fcasync.resources._paginator import Paginator
from fcasync.resources._sync import TransactionSync

__all__ = [
    "API_VERSION",
    "Answer",
    "BalanceCheck",
    "Client",
    "Limits",
    "Paginator",
    "Request",
    "Response",
    "RetryPolicy",
    "TransactionSync",
    "Transport",
    "__version__",
    "to_dict",
]
__all__ += errors.__all__
__all__ += models.__all__

show_as("fcasync", __all__, globals())
