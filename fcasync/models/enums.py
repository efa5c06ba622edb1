"""Stripe's enums, all of them open.

A field typed ``AccountStatus | str`` holds the member if fcasync knows the value, so that
``account.status is AccountStatus.ACTIVE`` works, and a plain string if Stripe added the value
later. Either way it equals its string.
"""

from fcasync._facts.word import Word


class AccountStatus(Word):
    """Whether Stripe still has access to a linked account."""

    ACTIVE = "active"
    DISCONNECTED = "disconnected"
    INACTIVE = "inactive"


class AccountCategory(Word):
    """The broad kind of an account."""

    CASH = "cash"
    CREDIT = "credit"
    INVESTMENT = "investment"
    OTHER = "other"


class AccountSubcategory(Word):
    """The exact kind of an account."""

    CHECKING = "checking"
    CREDIT_CARD = "credit_card"
    LINE_OF_CREDIT = "line_of_credit"
    MORTGAGE = "mortgage"
    OTHER = "other"
    SAVINGS = "savings"


class AccountHolderType(Word):
    """Which kind of Stripe object holds an account."""

    ACCOUNT = "account"
    CUSTOMER = "customer"


class Permission(Word):
    """A kind of data that the account holder agreed to share."""

    BALANCES = "balances"
    OWNERSHIP = "ownership"
    PAYMENT_METHOD = "payment_method"
    TRANSACTIONS = "transactions"


class Subscription(Word):
    """A kind of data that Stripe refreshes automatically every day."""

    TRANSACTIONS = "transactions"


class PaymentMethodType(Word):
    """A payment method that can be made from an account."""

    LINK = "link"
    US_BANK_ACCOUNT = "us_bank_account"


class AccountNumberStatus(Word):
    """Whether an account number can be used."""

    DEACTIVATED = "deactivated"
    EXPIRED = "expired"
    PENDING = "pending"
    TRANSACTABLE = "transactable"


class IdentifierType(Word):
    """Whether an account number is the real one or a token that the bank issued."""

    ACCOUNT_NUMBER = "account_number"
    TOKENIZED_ACCOUNT_NUMBER = "tokenized_account_number"


class Network(Word):
    """A payment network that accepts an account number."""

    ACH = "ach"


class BalanceType(Word):
    """Which of the two parts of a balance is set."""

    CASH = "cash"
    CREDIT = "credit"


class RefreshStatus(Word):
    """The state of the latest refresh."""

    FAILED = "failed"
    PENDING = "pending"
    SUCCEEDED = "succeeded"


class RefreshFeature(Word):
    """What a refresh can be requested."""

    BALANCE = "balance"
    OWNERSHIP = "ownership"
    TRANSACTIONS = "transactions"


class StatusAction(Word):
    """What the account holder must do."""

    NONE = "none"
    RELINK_REQUIRED = "relink_required"


class AccountAction(Word):
    """What has to be done about an account, and by whom; it is fcasync's own, not a field."""

    NONE = "none"
    """Nothing: the account can be used."""

    RELINK = "relink"
    """The account holder must authenticate again in a new session."""

    WAIT = "wait"
    """Nothing that you or the holder can do through Stripe; the bank may open the account again."""

    @property
    def by(self) -> str | None:
        """Who must act: ``account_holder``, ``institution``, or None for nobody."""
        return {"relink": "account_holder", "wait": "institution"}.get(self.value)


class StatusCause(Word):
    """Why an account is about to be deactivated."""

    ACCESS_EXPIRED = "access_expired"
    INSTITUTION_REQUIREMENT = "institution_requirement"
    UNSPECIFIED = "unspecified"


class AuthorizationStatus(Word):
    """Whether an authorization still gives access to its accounts."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class PrefetchFeature(Word):
    """What Stripe refreshes as soon as an account is linked."""

    BALANCES = "balances"
    OWNERSHIP = "ownership"
    TRANSACTIONS = "transactions"


class PaymentMethodSupport(Word):
    """How many of a session's accounts must support payments."""

    ALL = "all"
    AT_LEAST_ONE = "at_least_one"
    NONE = "none"


class ManualEntryMode(Word):
    """Whether a user may enter an account number instead of linking an account."""

    AUTOMATIC = "automatic"
    DISABLED = "disabled"


class TransactionStatus(Word):
    """The state of a transaction."""

    PENDING = "pending"
    POSTED = "posted"
    VOID = "void"
