"""A Celery app in one module: one client for all its processes."""

import os

from celery import Celery

import fcasync
from fcasync import blocking

FOLDER = os.environ.get("CELERY_FOLDER", "")

app = Celery("banking")
app.conf.update(
    broker_url="filesystem://" if FOLDER else "memory://",
    broker_transport_options={
        "data_folder_in": f"{FOLDER}/queue",
        "data_folder_out": f"{FOLDER}/queue",
        "control_folder": f"{FOLDER}/control",
    }
    if FOLDER
    else {},
    result_backend=f"file://{FOLDER}/results" if FOLDER else "cache+memory://",
    task_always_eager=not FOLDER,
    task_eager_propagates=True,
    worker_hijack_root_logger=False,
)

client = blocking.Client(os.environ.get("STRIPE_API_KEY") or "sk_test_later", deadline=30)
slow = blocking.Client("sk_test_slow", base_url=os.environ.get("SLOW_BASE"))
if FOLDER:
    client.accounts.list().page()  # the loop's thread runs in the parent when the pool is forked


@app.task(autoretry_for=(fcasync.APIConnectionError, fcasync.RateLimitError), retry_backoff=True)  # type: ignore[untyped-decorator]
def refresh(account_id: str) -> str:
    """Refresh an account, and wait for its bank."""
    account = client.accounts.refresh_and_wait(account_id, features=["balance"], timeout=20)
    assert account.balance_refresh is not None
    return f"{account.balance_refresh.status} {os.getpid()}"


@app.task(soft_time_limit=1)  # type: ignore[untyped-decorator]
def too_slow(account_id: str) -> str:
    """Wait for a bank that never answers, until the soft time limit."""
    from celery.exceptions import SoftTimeLimitExceeded

    try:
        slow.accounts.refresh_and_wait(account_id, features=["balance"], timeout=600)
    except SoftTimeLimitExceeded:
        return slow.accounts.retrieve(account_id).id  # the client works on
    return "no limit"
