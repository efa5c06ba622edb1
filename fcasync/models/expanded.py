"""Objects of other Stripe products, whose fields fcasync does not model."""

import attrs

from fcasync.models._base import Identified


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class ExpandedObject(Identified):
    """A customer, an account or another object that ``expand`` put in place of its id.

    Every field but ``id`` and ``object`` is in :attr:`extra`.
    """

    object: str
