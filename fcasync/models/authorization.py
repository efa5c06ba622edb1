"""What an account holder allowed at one institution; Stripe sends it in events only."""

from datetime import datetime
from typing import Literal

import attrs

from fcasync.models._base import Identified, Model
from fcasync.models.enums import AuthorizationStatus, StatusAction


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class ActiveAuthorizationDetails(Model):
    """Why an active authorization will not stay so."""

    action: StatusAction | str | None = None
    expected_deactivation_date: datetime | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class InactiveAuthorizationDetails(Model):
    """What brings an inactive authorization back."""

    action: StatusAction | str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class AuthorizationStatusDetails(Model):
    """More about an authorization's status."""

    active: ActiveAuthorizationDetails | None = None
    inactive: InactiveAuthorizationDetails | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Authorization(Identified):
    """The access that an account holder granted at one institution."""

    institution_name: str | None = None
    livemode: bool | None = None
    object: Literal["financial_connections.authorization"] = "financial_connections.authorization"
    status: AuthorizationStatus | str | None = None
    status_details: AuthorizationStatusDetails | None = None
