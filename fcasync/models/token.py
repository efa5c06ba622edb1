"""A token for an account number that a user entered."""

from datetime import datetime
from typing import Literal

import attrs

from fcasync.models._base import Identified
from fcasync.models._show import PRIVATE
from fcasync.models.expanded import ExpandedObject


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class BankAccountToken(Identified):
    """A single-use token; Stripe's object is called ``token``."""

    bank_account: ExpandedObject | None = None
    card: ExpandedObject | None = None
    client_ip: str | None = attrs.field(default=None, metadata={PRIVATE: True})
    created: datetime | None = None
    livemode: bool | None = None
    object: Literal["token"] = "token"
    type: str | None = None
    used: bool | None = None
