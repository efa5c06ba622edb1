"""What goes wrong with a mirror's database."""

from fcasync.errors import FCError


class MirrorError(FCError):
    """The database of a mirror cannot be used; what was stored before is complete.

    Attributes:
        url: The database, without its password.
    """

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message)
        self.url = url
