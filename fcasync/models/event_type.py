"""The names of events, as enums and as literals, which editors complete."""

from typing import Literal, TypeAlias

from fcasync._facts.word import Word


class EventType(Word):
    """The snapshot events of Financial Connections (version 2026-10-28.endive)."""

    ACCOUNT_NUMBERS_UPDATED = "financial_connections.account.account_numbers_updated"
    ACCOUNT_CREATED = "financial_connections.account.created"
    ACCOUNT_DEACTIVATED = "financial_connections.account.deactivated"
    ACCOUNT_DISCONNECTED = "financial_connections.account.disconnected"
    ACCOUNT_EXPECTED_DEACTIVATION_DATE_UPDATED = (
        "financial_connections.account.expected_deactivation_date_updated"
    )
    ACCOUNT_REACTIVATED = "financial_connections.account.reactivated"
    ACCOUNT_REFRESHED_BALANCE = "financial_connections.account.refreshed_balance"
    ACCOUNT_REFRESHED_OWNERSHIP = "financial_connections.account.refreshed_ownership"
    ACCOUNT_REFRESHED_TRANSACTIONS = "financial_connections.account.refreshed_transactions"
    ACCOUNT_SUPPORTED_PAYMENT_METHOD_TYPES_UPDATED = (
        "financial_connections.account.supported_payment_method_types_updated"
    )
    ACCOUNT_UPCOMING_ACCOUNT_NUMBER_EXPIRY = (
        "financial_connections.account.upcoming_account_number_expiry"
    )
    ACCOUNT_UPCOMING_DEACTIVATION = "financial_connections.account.upcoming_deactivation"
    AUTHORIZATION_EXPECTED_DEACTIVATION_DATE_UPDATED = (
        "financial_connections.authorization.expected_deactivation_date_updated"
    )
    AUTHORIZATION_UPCOMING_DEACTIVATION = (
        "financial_connections.authorization.upcoming_deactivation"
    )


class ThinEventType(Word):
    """The thin events of Financial Connections (version 2026-10-28.endive).

    Twelve repeat a snapshot event under the same name behind ``v1.``; the other ten say how a
    refresh ended, and have no snapshot event. They are those of the official SDK 16.1.0.
    """

    ACCOUNT_NUMBERS_UPDATED = "v1.financial_connections.account.account_numbers_updated"
    ACCOUNT_BALANCE_REFRESH_FAILED = "v1.financial_connections.account.balance_refresh_failed"
    ACCOUNT_BALANCE_REFRESH_SUCCEEDED = "v1.financial_connections.account.balance_refresh_succeeded"
    ACCOUNT_CREATED = "v1.financial_connections.account.created"
    ACCOUNT_DEACTIVATED = "v1.financial_connections.account.deactivated"
    ACCOUNT_DISCONNECTED = "v1.financial_connections.account.disconnected"
    ACCOUNT_EXPECTED_DEACTIVATION_DATE_UPDATED = (
        "v1.financial_connections.account.expected_deactivation_date_updated"
    )
    ACCOUNT_INFERRED_BALANCES_REFRESH_FAILED = (
        "v1.financial_connections.account.inferred_balances_refresh_failed"
    )
    ACCOUNT_INFERRED_BALANCES_REFRESH_SUCCEEDED = (
        "v1.financial_connections.account.inferred_balances_refresh_succeeded"
    )
    ACCOUNT_OWNERSHIP_REFRESH_FAILED = "v1.financial_connections.account.ownership_refresh_failed"
    ACCOUNT_OWNERSHIP_REFRESH_SUCCEEDED = (
        "v1.financial_connections.account.ownership_refresh_succeeded"
    )
    ACCOUNT_REACTIVATED = "v1.financial_connections.account.reactivated"
    ACCOUNT_REFRESHED_BALANCE = "v1.financial_connections.account.refreshed_balance"
    ACCOUNT_REFRESHED_OWNERSHIP = "v1.financial_connections.account.refreshed_ownership"
    ACCOUNT_REFRESHED_TRANSACTIONS = "v1.financial_connections.account.refreshed_transactions"
    ACCOUNT_RISK_INTELLIGENCE_REFRESH_FAILED = (
        "v1.financial_connections.account.risk_intelligence_refresh_failed"
    )
    ACCOUNT_RISK_INTELLIGENCE_REFRESH_SUCCEEDED = (
        "v1.financial_connections.account.risk_intelligence_refresh_succeeded"
    )
    ACCOUNT_SUPPORTED_PAYMENT_METHOD_TYPES_UPDATED = (
        "v1.financial_connections.account.supported_payment_method_types_updated"
    )
    ACCOUNT_TRANSACTIONS_REFRESH_FAILED = (
        "v1.financial_connections.account.transactions_refresh_failed"
    )
    ACCOUNT_TRANSACTIONS_REFRESH_SUCCEEDED = (
        "v1.financial_connections.account.transactions_refresh_succeeded"
    )
    ACCOUNT_UPCOMING_ACCOUNT_NUMBER_EXPIRY = (
        "v1.financial_connections.account.upcoming_account_number_expiry"
    )
    ACCOUNT_UPCOMING_DEACTIVATION = "v1.financial_connections.account.upcoming_deactivation"


EventName: TypeAlias = Literal[
    "financial_connections.account.account_numbers_updated",
    "financial_connections.account.created",
    "financial_connections.account.deactivated",
    "financial_connections.account.disconnected",
    "financial_connections.account.expected_deactivation_date_updated",
    "financial_connections.account.reactivated",
    "financial_connections.account.refreshed_balance",
    "financial_connections.account.refreshed_ownership",
    "financial_connections.account.refreshed_transactions",
    "financial_connections.account.supported_payment_method_types_updated",
    "financial_connections.account.upcoming_account_number_expiry",
    "financial_connections.account.upcoming_deactivation",
    "financial_connections.authorization.expected_deactivation_date_updated",
    "financial_connections.authorization.upcoming_deactivation",
]
"""The values of `EventType`, for editors."""

ThinEventName: TypeAlias = Literal[
    "v1.financial_connections.account.account_numbers_updated",
    "v1.financial_connections.account.balance_refresh_failed",
    "v1.financial_connections.account.balance_refresh_succeeded",
    "v1.financial_connections.account.created",
    "v1.financial_connections.account.deactivated",
    "v1.financial_connections.account.disconnected",
    "v1.financial_connections.account.expected_deactivation_date_updated",
    "v1.financial_connections.account.inferred_balances_refresh_failed",
    "v1.financial_connections.account.inferred_balances_refresh_succeeded",
    "v1.financial_connections.account.ownership_refresh_failed",
    "v1.financial_connections.account.ownership_refresh_succeeded",
    "v1.financial_connections.account.reactivated",
    "v1.financial_connections.account.refreshed_balance",
    "v1.financial_connections.account.refreshed_ownership",
    "v1.financial_connections.account.refreshed_transactions",
    "v1.financial_connections.account.risk_intelligence_refresh_failed",
    "v1.financial_connections.account.risk_intelligence_refresh_succeeded",
    "v1.financial_connections.account.supported_payment_method_types_updated",
    "v1.financial_connections.account.transactions_refresh_failed",
    "v1.financial_connections.account.transactions_refresh_succeeded",
    "v1.financial_connections.account.upcoming_account_number_expiry",
    "v1.financial_connections.account.upcoming_deactivation",
]
"""The values of `ThinEventType`, for editors."""
