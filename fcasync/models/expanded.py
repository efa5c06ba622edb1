"""Objects of the rest of Stripe, which fcasync passes on without knowing their fields."""

import attrs

from fcasync.models._base import Identified


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class ExpandedObject(Identified):
    """A customer, an account or another object in place of its id, as ``expand`` asked for.

    Every field but ``id`` and ``object`` is in :attr:`extra`.
    """

    object: str
