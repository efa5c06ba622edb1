"""Mistakes that a type checker must find; mypy reports an ignore that is not needed."""

from fcasync import Account, Client, Transaction, blocking
from fcasync.hooks import CallStarted
from fcasync.webhooks import EventRouter

router = EventRouter()


async def calls(client: Client) -> None:
    await client.accounts.refresh("fca_1")  # type: ignore[call-arg]
    await client.accounts.refresh("fca_1", features=1)  # type: ignore[arg-type]
    await client.accounts.retrieve(1)  # type: ignore[arg-type]
    await client.accounts.retreive("fca_1")  # type: ignore[attr-defined]
    client.accounts.list(account_holder={"custmer": "cus_1"})  # type: ignore[arg-type]
    client.accounts.list(limit="3")  # type: ignore[arg-type]
    for account in client.accounts.list():  # type: ignore[attr-defined]
        models(account)
    models(await client.accounts.list())  # type: ignore[arg-type]
    await client.sessions.create(account_holder={"type": "user"}, permissions=[])  # type: ignore[typeddict-item]
    client.transactions.list()  # type: ignore[call-arg]
    client.bulk.disconnect(["fca_1"], features=["balance"])  # type: ignore[call-arg]


def without_await(client: blocking.Client) -> None:
    client.accounts.refresh("fca_1")  # type: ignore[call-arg]
    client.accounts.refresh("fca_1", features=1)  # type: ignore[arg-type]
    client.accounts.list(limit="3")  # type: ignore[arg-type]
    client.bulk.disconnect(["fca_1"], features=["balance"])  # type: ignore[call-arg]
    blocking.Client(session=None)  # type: ignore[call-arg]
    models(client.accounts.list())  # type: ignore[arg-type]


def models(account: Account) -> None:
    account.status = "active"  # type: ignore[misc]
    assert account.balance.current  # type: ignore[union-attr]
    assert account.instituton_name  # type: ignore[attr-defined]


def amounts(transaction: Transaction) -> int:
    return transaction.amount + 1  # type: ignore[operator]


def clients() -> None:
    Client(apikey="sk_test_1")  # type: ignore[call-arg]
    Client(hooks=[lambda: None])  # type: ignore[list-item]


@router.on("financial_connections.account.created")  # type: ignore[type-var]
async def handler() -> None:
    """Take no event."""


def hook(event: CallStarted) -> None:
    """Take one kind of event only."""


CLIENT = Client(hooks=[hook])  # type: ignore[list-item]
