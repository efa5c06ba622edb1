"""The rare moments in the life of an account: what is out of the ordinary about it."""

import attrs


@attrs.frozen
class Rare:
    """What is out of the ordinary about an account; the defaults are the ordinary."""

    balance: str = ""
    """``null`` if the bank shares no balance, ``stale`` if its figure is a day old."""
    expires: int | None = None
    """When its account number, a tokenized one, is expected to stop working."""
    expired: bool = False
    """Whether its account number has."""
    deactivates: int | None = None
    """When access ends, unless that is called off."""
    action: str = "none"
    """What the holder must do against that."""
    cause: str = "unspecified"
    """Why access ends."""
    is_unpayable: bool = False
    """Whether it no longer supports payment methods."""

    def lasting(self) -> "Rare":
        """Return the same without an end of access."""
        return attrs.evolve(self, deactivates=None, action="none", cause="unspecified")


ORDINARY = Rare()
STALE = 26 * 3600
"""Seconds by which a stale balance is older than its refresh; Stripe documents up to 24 hours."""
