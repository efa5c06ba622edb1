"""In a Django project: views under WSGI, with the ORM as the source of a job."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from fcasync import blocking
from fcasync.sandbox import Sandbox

django = pytest.importorskip("django", reason="needs django")

PROJECT = "tests.blocking._django"


@pytest.fixture(scope="module")
def project() -> Any:
    from django.conf import settings

    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        ROOT_URLCONF=PROJECT,
        SECRET_KEY="x",
        USE_TZ=True,
    )
    django.setup()
    project = import_module(PROJECT)
    project.create_tables()
    return project


@pytest.fixture
def site(client: blocking.Client, project: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from django.test import Client

    monkeypatch.setattr(project, "client", client)
    ids = [account.id for account in client.accounts.list(max_items=20)]
    project.Linked.objects.bulk_create([project.Linked(stripe_id=each) for each in ids])
    yield Client()
    project.Linked.objects.all().delete()


def test_a_view_makes_a_call(site: Any, project: Any) -> None:
    """The answer of Stripe, or its refusal with its status."""
    account_id = project.Linked.objects.first().pk
    answer = site.post(f"/accounts/{account_id}/refresh")
    assert (answer.status_code, answer.json()) == (200, {"status": "pending"})
    refused = site.post("/accounts/fca_unknown1/refresh")
    assert (refused.status_code, refused.json()) == (
        404,
        {"error": "No such account: 'fca_unknown1'"},
    )


def test_a_query_is_the_source_of_a_job(site: Any, project: Any, sandbox: Sandbox) -> None:
    """The ORM is used on the thread of the request alone, while the job runs on the loop's."""
    assert site.post("/refresh").json() == {"done": 20}
    assert set(project.Linked.objects.values_list("status", flat=True)) == {"accepted"}
    assert len(sandbox.executions("refresh")) == 20


def test_an_async_view_learns_what_to_use(site: Any) -> None:
    """The loop of the view is not blocked."""
    with pytest.raises(RuntimeError, match=r"use fcasync\.Client in async code"):
        site.get("/async")
