"""A Django project in one module: a table of linked accounts, and views that use a client."""

from django.db import connection, models
from django.http import HttpRequest, JsonResponse
from django.urls import path

import fcasync
from fcasync import blocking

client = blocking.Client("sk_test_later")
"""Replaced by the test; a project makes it in its settings."""


class Linked(models.Model):  # type: ignore[misc]
    """An account that a customer has linked."""

    stripe_id = models.CharField(max_length=64, primary_key=True)
    status = models.CharField(max_length=16, default="")

    class Meta:
        app_label = "tests"


def create_tables() -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Linked)


def refresh(request: HttpRequest, account_id: str) -> JsonResponse:
    """Refresh one account."""
    try:
        account = client.accounts.refresh(account_id, features=["balance"])
    except fcasync.InvalidRequestError as error:
        return JsonResponse({"error": error.message}, status=error.status)
    pending = account.balance_refresh
    return JsonResponse({"status": str(pending and pending.status)})


def refresh_all(request: HttpRequest) -> JsonResponse:
    """Refresh what is in the table, and note each outcome in it."""
    ids = Linked.objects.values_list("stripe_id", flat=True).iterator(chunk_size=5)
    with client.bulk.refresh(ids, features=["balance"]) as run:
        for outcome in run:
            Linked.objects.filter(pk=outcome.account_id).update(status=str(outcome.status))
    return JsonResponse({"done": run.report.requests})


async def in_async_code(request: HttpRequest) -> JsonResponse:
    """Make the mistake."""
    client.accounts.retrieve("fca_1")
    return JsonResponse({})


urlpatterns = [
    path("accounts/<str:account_id>/refresh", refresh),
    path("refresh", refresh_all),
    path("async", in_async_code),
]
