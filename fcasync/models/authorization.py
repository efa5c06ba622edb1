"""The access that an account holder granted at one institution; sent only in events."""

from datetime import datetime
from typing import Literal

import attrs

from fcasync.models._base import Identified, Model
from fcasync.models.enums import AuthorizationStatus, StatusAction


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class ActiveAuthorizationDetails(Model):
    """Why an active authorization is about to be deactivated."""

    action: StatusAction | str | None = None
    expected_deactivation_date: datetime | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class InactiveAuthorizationDetails(Model):
    """How an inactive authorization can be reactivated."""

    action: StatusAction | str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class AuthorizationStatusDetails(Model):
    """Details of an authorization's status."""

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
