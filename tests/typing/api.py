"""The whole API as a user would call it; mypy checks this file, nothing runs it."""

import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, assert_type

import aiohttp
import pytest
from aiohttp import web

import fcasync
from fcasync import (
    Account,
    AccountAction,
    AccountOwner,
    AccountOwnership,
    AccountStatus,
    Answer,
    AnyEvent,
    Authorization,
    Balance,
    BalanceCheck,
    BalanceRefresh,
    Client,
    Event,
    EventRequest,
    EventType,
    ExpandedObject,
    ItemList,
    Limits,
    Money,
    OwnershipRefresh,
    Page,
    Paginator,
    Permission,
    RefreshStatus,
    Request,
    Response,
    RetryPolicy,
    Session,
    ThinEvent,
    ThinEventType,
    Transaction,
    TransactionRefresh,
    TransactionSync,
    Transport,
    blocking,
)
from fcasync.bulk import BulkRun, Outcome, OutcomeStatus, Progress, Report, read_journal
from fcasync.hooks import (
    ActingHook,
    AttemptFinished,
    Call,
    CallFinished,
    CallStarted,
    Figures,
    Hook,
    HookEvent,
    LimiterWaiting,
    OutgoingRequest,
    RetryScheduled,
    Run,
    RunHook,
)
from fcasync.otel import FcasyncInstrumentor, OpenTelemetryHook
from fcasync.sandbox import SCENARIOS, Fault, RateLimit, Sandbox
from fcasync.testing import (
    FakeClock,
    InstantTransport,
    RecordingHook,
    ScriptedTransport,
    answer,
    check_transport,
    make_account,
    make_authorization,
    make_event,
    make_owner,
    make_ownership,
    make_page,
    make_session,
    make_thin_event,
    make_transaction,
    signed_webhook,
)
from fcasync.webhooks import (
    CatchUp,
    EventRouter,
    SeenEvents,
    SqliteSeenEvents,
    WebhookApp,
    construct_event,
    parse_event,
    sign,
)


def versions() -> None:
    assert_type(fcasync.__version__, str)
    assert_type(fcasync.API_VERSION, str)


def clients(context: ssl.SSLContext, session: aiohttp.ClientSession) -> None:
    assert_type(Client(), Client)
    client = Client(
        "sk_test_1",
        base_url="https://api.stripe.com",
        stripe_account="acct_1",
        stripe_context="acct_2",
        stripe_version=fcasync.API_VERSION,
        timeout=30,
        deadline=90.0,
        retry=RetryPolicy(attempts=2, base=0.5, cap=8.0),
        limits=Limits(max_rate=25.0, burst=5),
        max_connections=100,
        session=session,
        proxy="http://127.0.0.1:3128",
        ssl=context,
        hooks=[print_event, RecordingHook(), OpenTelemetryHook()],
        max_response_bytes=1 << 20,
        extra_headers={"X-Team": "ledger"},
    )
    view = client.with_options(stripe_account="acct_3", timeout=5.0, retry=RetryPolicy(attempts=1))
    assert_type(view, Client)


async def contexts() -> None:
    async with Client() as client:
        assert_type(client, Client)
    assert_type(await client.aclose(), None)


async def lists(client: Client) -> None:
    listed = client.accounts.list(
        account_holder={"customer": "cus_1"},
        limit=100,
        max_items=1000,
        starting_after="fca_1",
        expand=["data.ownership"],
        prefetch=False,
    )
    assert_type(listed, Paginator[Account])
    page = await listed
    assert_type(page, Page[Account])
    assert_type(page.data, list[Account])
    assert_type(page.has_more, bool)
    assert_type(page.next_cursor, str | None)
    async for account in listed:
        assert_type(account, Account)
    async for each in listed.pages():
        assert_type(each, Page[Account])
    accounts = await listed.collect(max_items=10)
    assert_type(accounts, ItemList[Account])
    assert_type(accounts[:1], ItemList[Account])
    assert_type(accounts.to_columns(), dict[str, list[Any]])
    assert_type(
        [account.id async for account in client.accounts.list(session="fcsess_1")], list[str]
    )


async def accounts(client: Client, account: Account) -> None:
    assert_type(await client.accounts.retrieve("fca_1", expand=["ownership"]), Account)
    assert_type(await client.accounts.retrieve(account), Account)
    assert_type(await client.accounts.refresh("fca_1", features=["balance", "ownership"]), Account)
    assert_type(
        await client.accounts.refresh_and_wait(account, features=("balance",), timeout=60), Account
    )
    assert_type(await client.accounts.subscribe("fca_1", features=["transactions"]), Account)
    assert_type(
        await client.accounts.unsubscribe(account, features=["transactions"], idempotency_key="k"),
        Account,
    )
    assert_type(await client.accounts.disconnect(account), Account)
    owners = client.accounts.list_owners(account, ownership="fcaowns_1", ending_before="fcaown_1")
    assert_type(owners, Paginator[AccountOwner])
    assert_type(await owners, Page[AccountOwner])


async def sessions(client: Client) -> None:
    session = await client.sessions.create(
        account_holder={"type": "customer", "customer": "cus_1"},
        permissions=["balances", "transactions"],
        filters={"account_subcategories": ["checking"], "country": "US"},
        limits={"accounts": 2},
        manual_entry={"mode": "automatic"},
        prefetch=["balances"],
        return_url="https://example.com/back",
        idempotency_key="key_1",
    )
    assert_type(session, Session)
    assert_type(session.client_secret, str | None)
    assert_type(session.accounts, Page[Account] | None)
    assert_type(await client.sessions.retrieve(session), Session)
    linked = await client.sessions.collect(
        session, subscribe=["transactions"], features=["balance"], timeout=30
    )
    assert_type(linked, list[Account])


async def transactions(client: Client, account: Account) -> None:
    listed = client.transactions.list(
        account,
        transacted_at={"gte": datetime(2026, 1, 1, tzinfo=UTC), "lt": 1_800_000_000},
        transaction_refresh={"after": "fctxnref_1"},
        max_items=10,
    )
    assert_type(listed, Paginator[Transaction])
    async for transaction in listed:
        assert_type(transaction.amount, int | None)
        assert_type(transaction.transacted_at, datetime | None)
    assert_type(await client.transactions.retrieve("fctxn_1"), Transaction)
    sync = client.transactions.sync(account, after="fctxnref_1", limit=100)
    assert_type(sync, TransactionSync)
    async for transaction in sync:
        assert_type(transaction, Transaction)
    async for page in sync.pages():
        assert_type(page, Page[Transaction])
    assert_type(sync.cursor, str | None)
    assert_type(sync.account, Account | None)


def message(record: dict[str, str]) -> None:
    event = parse_event(record)
    if isinstance(event, Event) and isinstance(event.data.object, Account):
        assert_type(event.data.object, Account)


async def balances(client: Client) -> None:
    check = await client.accounts.balance(
        "fca_1", max_age=timedelta(hours=1), at_least={"usd": 5_000}, timeout=15
    )
    assert_type(check, BalanceCheck)
    assert_type(check.verdict, Literal["sufficient", "insufficient", "unknown"])
    assert_type(check.amount, int | None)


async def any_request(client: Client) -> None:
    path = "/v1/financial_connections/accounts/fca_1"
    assert_type(await client.request("GET", path), Any)
    assert_type(await client.request("GET", path, decode=Account), Account)
    refreshed = await client.accounts.refresh(
        "fca_1", features=["balance"], extra_params={"preview": True}
    )
    assert_type(refreshed, Account)


async def raw_responses(client: Client) -> None:
    response = await client.accounts.with_raw_response.refresh(
        "fca_1", features=["balance"], idempotency_key="key_1"
    )
    assert_type(response, Response[Account])
    assert_type(response.value, Account)
    assert_type(response.status, int)
    assert_type(response.headers, Mapping[str, str])
    assert_type(response.request_id, str | None)
    assert_type(response.idempotency_key, str | None)
    assert_type(response.idempotent_replayed, bool)
    assert_type(response.attempts, int)
    assert_type(response.elapsed, float)
    page = await client.accounts.with_raw_response.list(limit=3)
    assert_type(page, Response[Page[Account]])
    assert_type(await client.sessions.with_raw_response.retrieve("fcsess_1"), Response[Session])
    assert_type(
        await client.transactions.with_raw_response.retrieve("fctxn_1"), Response[Transaction]
    )


def models(account: Account) -> None:
    assert_type(account.id, str)
    assert_type(account.created, datetime | None)
    assert_type(account.status, AccountStatus | str | None)
    assert_type(account.permissions, list[Permission | str] | None)
    assert_type(account.balance, Balance | None)
    assert_type(account.ownership, str | AccountOwnership | None)
    assert_type(account.extra, Mapping[str, Any])
    assert_type(fcasync.to_dict(account), dict[str, Any])
    assert_type(account == account, bool)
    if account.balance is not None:
        assert_type(account.balance.current, dict[str, int] | None)
        assert_type(account.balance.as_of, datetime | None)
    if account.account_holder is not None:
        assert_type(account.account_holder.customer, str | ExpandedObject | None)
    if account.balance_refresh is not None:
        assert_type(account.balance_refresh.status, RefreshStatus | str | None)
        assert_type(account.balance_refresh.status == RefreshStatus.FAILED, bool)
    assert_type(
        account.refresh_of("balance"),
        BalanceRefresh | OwnershipRefresh | TransactionRefresh | None,
    )
    built = Account(id="fca_1", status="active", created=datetime.now(UTC))
    assert_type(built, Account)
    assert_type(account.action, AccountAction)
    if account.balance is not None:
        assert_type(account.balance.available_or_current, dict[str, Money])
    assert_type(Money.of("12.50", "usd").decimal, Decimal)


async def errors(client: Client) -> None:
    try:
        await client.accounts.retrieve("fca_1")
    except fcasync.NotFoundError as error:
        assert_type(error.status, int)
        assert_type(error.code, str | None)
        assert_type(error.param, str | None)
        assert_type(error.message, str)
        assert_type(error.request_id, str | None)
    except fcasync.RateLimitError as error:
        assert_type(error.reason, str | None)
        assert_type(error.retry_after, float | None)
    except fcasync.APIStatusError as error:
        assert_type(error.headers, Mapping[str, str])
        assert_type(error.body, str)
        assert_type(error.doc_url, str | None)
        assert_type(error.idempotent_replayed, bool)
    except (fcasync.APITimeoutError, fcasync.DeadlineExceededError) as error:
        assert_type(error.may_have_executed, bool)
    except fcasync.InvalidArgumentError as error:
        as_value_error: ValueError = error
        assert_type(as_value_error.args, tuple[Any, ...])
    except fcasync.FCError as error:
        assert_type(error.idempotency_key, str | None)
        assert_type(error.attempts, int)
        assert_type(error.cursor, str | None)


async def bulk(client: Client, ids: AsyncIterator[str]) -> None:
    run = client.bulk.refresh(
        client.accounts.list(),
        features=["balance"],
        journal="refresh.sqlite",
        concurrency=64,
        max_rate=20.0,
        wait=True,
        wait_timeout=600,
        resume=True,
        progress=False,
    )
    assert_type(run, BulkRun)
    async with run:
        async for outcome in run:
            assert_type(outcome, Outcome)
            assert_type(outcome.account_id, str)
            assert_type(outcome.status, OutcomeStatus)
            assert_type(outcome.account, Account | None)
            assert_type(outcome.error, fcasync.FCError | None)
        assert_type(run.progress, Progress)
        assert_type(run.progress.deferred, int)
        assert_type(run.progress.outage, str | None)
        assert_type(run.observe(make_event()), bool)
    assert_type(run.report, Report)
    assert_type(run.report.by_status(), dict[str, int])
    async with client.bulk.subscribe(ids, features=["transactions"]) as other:
        assert_type(await other.finish(), Report)
    client.bulk.unsubscribe(["fca_1", "fca_2"], features=["transactions"])
    client.bulk.disconnect(iter([make_account()]))
    for past in read_journal("refresh.sqlite"):
        assert_type(past, Outcome)


def without_await(client: blocking.Client) -> None:
    assert_type(blocking.Client("sk_test_1", timeout=5, hooks=[print_event]), blocking.Client)
    with client as same:
        assert_type(same, blocking.Client)
    assert_type(client.with_options(stripe_account="acct_1"), blocking.Client)
    listed = client.accounts.list(account_holder={"customer": "cus_1"}, limit=100, prefetch=False)
    assert_type(listed, blocking.Paginator[Account])
    assert_type(list(listed), list[Account])
    assert_type(list(listed.pages()), list[Page[Account]])
    assert_type(listed.page(), Page[Account])
    assert_type(listed.collect(max_items=10), ItemList[Account])
    account = client.accounts.retrieve("fca_1", expand=["ownership"])
    assert_type(account, Account)
    assert_type(client.accounts.refresh(account, features=["balance"], expand=["x"]), Account)
    assert_type(
        client.accounts.refresh_and_wait(account, features=["balance"], timeout=60), Account
    )
    assert_type(client.accounts.balance("fca_1", at_least={"usd": 1}), BalanceCheck)
    owners = client.accounts.list_owners(account, ownership="fcaowns_1")
    assert_type(owners, blocking.Paginator[AccountOwner])
    raw = client.accounts.with_raw_response
    assert_type(raw.retrieve("fca_1"), Response[Account])
    assert_type(raw.list(limit=3), Response[Page[Account]])
    session = client.sessions.create(
        account_holder={"type": "customer", "customer": "cus_1"}, permissions=["balances"]
    )
    assert_type(session, Session)
    sync = client.transactions.sync(account, after=None)
    assert_type(sync, blocking.TransactionSync)
    assert_type(list(sync), list[Transaction])
    assert_type((sync.after, sync.cursor), tuple[str | None, str | None])
    path = "/v1/financial_connections/accounts/fca_1"
    assert_type(client.request("GET", path), Any)
    assert_type(client.request("GET", path, decode=Account), Account)
    run = client.bulk.refresh(listed, features=["balance"], journal="a.sqlite", wait=True)
    assert_type(run, blocking.BulkRun)
    with run as entered:
        assert_type(list(entered), list[Outcome])
        assert_type(run.progress, Progress)
        assert_type(run.observe(make_event()), bool)
        assert_type(run.stop(), bool)
        assert_type(run.finish(), Report)
    assert_type(run.report, Report)
    client.bulk.disconnect((each.id for each in listed), max_requests=10)
    client.close()


async def webhooks(body: bytes, header: str | None) -> None:
    event = construct_event(body, header, ["whsec_new", "whsec_old"], tolerance=300)
    assert_type(event, Event[Account] | Event[Authorization] | Event[dict[str, Any]] | ThinEvent)
    assert_type(event.id, str)
    assert_type(event.created, datetime | None)
    if isinstance(event, ThinEvent):
        assert_type(event.type, ThinEventType | str | None)
        assert_type(event.context, str | None)
        if event.related_object:
            assert_type(event.related_object.url, str | None)
        return
    assert_type(event.type, EventType | str | None)
    assert_type(event.data.object, Account | Authorization | dict[str, Any])
    if isinstance(event.data.object, Account):
        assert_type(event.data.object.balance, Balance | None)
    assert_type(sign(body, "whsec_1", 1_700_000_000), str)
    router = EventRouter(seen=SeenEvents(1000))

    @router.on(EventType.ACCOUNT_REFRESHED_BALANCE, "financial_connections.account.created")
    async def refreshed(event: Event[Account]) -> None:
        assert_type(event.data.object, Account)

    @router.on(ThinEventType.ACCOUNT_CREATED, "v1.financial_connections.account.deactivated")
    async def thin(event: ThinEvent) -> None:
        if event.reason:
            assert_type(event.reason.request, EventRequest | None)

    @router.on("*")
    async def every(event: AnyEvent) -> None:
        assert_type(event.id, str)

    assert_type(await router.dispatch(event), bool)


async def events(client: Client, thin: ThinEvent) -> None:
    listed = client.events.list(
        types=["financial_connections.account.created", EventType.ACCOUNT_DEACTIVATED, "other"],
        created={"gte": datetime(2026, 11, 1, tzinfo=UTC)},
        delivery_success=False,
        limit=100,
    )
    assert_type(listed, Paginator[Event[Account] | Event[Authorization] | Event[dict[str, Any]]])
    async for event in listed:
        assert_type(event.pending_webhooks, int | None)
    event = await client.events.retrieve("evt_1")
    assert_type(event.data.object, Account | Authorization | dict[str, Any])
    related = await client.events.fetch_related(thin, expand=["ownership"])
    assert_type(related, Account | Authorization | Session | Transaction | dict[str, Any])
    brief = client.events.list_thin(
        types=["v1.financial_connections.account.created", ThinEventType.ACCOUNT_DEACTIVATED],
        created={"gte": datetime(2026, 11, 1, tzinfo=UTC), "lt": 1_800_000_000},
        object_id="fca_1",
        page=None,
    )
    assert_type(brief, Paginator[ThinEvent])
    assert_type((await brief).next_cursor, str | None)
    assert_type(await client.events.retrieve_thin("evt_1"), ThinEvent)
    raw = await client.events.with_raw_response.retrieve("evt_1")
    assert_type(raw.request_id, str | None)


async def endpoints(client: Client) -> None:
    router = EventRouter(SqliteSeenEvents("seen.sqlite"))
    assert_type(router.asgi("whsec_1"), WebhookApp)
    app = web.Application()
    app.router.add_post("/webhooks", router.aiohttp_handler(["whsec_1", "whsec_2"], tolerance=60))
    report = await router.catch_up(client, since=datetime.now(UTC) - timedelta(hours=3))
    assert_type(report, CatchUp)
    assert_type(report.handled + report.repeated + report.in_progress, int)
    view = client.with_options(stripe_account="acct_1")
    assert_type((await router.catch_up(view, since=datetime.now(UTC))).total, int)
    await router.catch_up(client, since=datetime.now(UTC), event_payload="thin")


def print_event(event: HookEvent, /) -> None:
    assert_type(event.call, Call)
    match event:
        case CallStarted():
            assert_type(event.call.idempotency_key, str | None)
        case LimiterWaiting():
            assert_type(event.wait, float)
        case AttemptFinished():
            assert_type(event.status, int | None)
        case RetryScheduled():
            assert_type(event.error, BaseException)
        case CallFinished():
            assert_type(event.error, BaseException | None)


HOOK: Hook = print_event


class Gateway:
    """A hook that adds a token, and hears of runs."""

    def __call__(self, event: HookEvent, /) -> None: ...

    def before_attempt(self, request: OutgoingRequest, /) -> None:
        assert_type(request.call, Call)
        assert_type(request.attempt, int)
        assert_type(request.is_traced, bool)
        request.headers["X-Gateway-Token"] = "token"

    def run_started(self, run: Run, /) -> None:
        assert_type(run.kind, Literal["bulk", "mirror"])
        assert_type(run.figures(), Figures)
        assert_type(run.figures().limit, float | None)

    def run_finished(self, run: Run, error: BaseException | None, /) -> None:
        assert_type(run.operation, str)


ACTING_HOOK: ActingHook = Gateway()
RUN_HOOK: RunHook = Gateway()


def tracing() -> None:
    hook = OpenTelemetryHook(propagator=None, attempts=False, spans_in_runs=True)
    Client("sk_test_1", hooks=[hook, Gateway()])
    FcasyncInstrumentor().instrument(propagator=None)
    assert_type(FcasyncInstrumentor().is_instrumented_by_opentelemetry, bool)
    FcasyncInstrumentor().uninstrument()


class OwnTransport:
    """Sends requests by something else than aiohttp."""

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        assert_type(request.method, str)
        assert_type(request.url, str)
        assert_type(request.headers, Mapping[str, str])
        assert_type(request.body, bytes | None)
        assert_type(request.has_effect, bool)
        return Answer(200, {"Request-Id": "req_1"}, b"{}")

    async def aclose(self) -> None: ...


TRANSPORT: Transport = OwnTransport()


async def transports() -> None:
    assert_type(Client("sk_test_1", transport=OwnTransport()), Client)
    assert_type(await check_transport(OwnTransport, max_response_bytes=1000), None)


async def sandboxes() -> None:
    async with Sandbox(
        accounts=25,
        seed=0,
        rate_limit="sandbox",
        webhook_url="http://127.0.0.1:8000/webhooks",
        webhook_thin=True,
        faults=[Fault(kind="status", status=503, times=1), {"kind": "delay", "seconds": 0.1}],
    ) as sandbox:
        assert_type(sandbox, Sandbox)
        assert_type(sandbox.url, str)
        assert_type(sandbox.api_key, str)
        assert_type(sandbox.ledger, list[dict[str, Any]])
        assert_type(sandbox.executions("refresh"), dict[str, int])
        sandbox.add_faults(Fault(kind="reset_after", operation="refresh"))
        sandbox.advance(3600)
        sandbox.clear_faults()
        assert_type(sandbox.scenario("fca_1", "null_balance"), dict[str, Any])
        assert_type(SCENARIOS["null_balance"].summary, str)
        sandbox.decline("fcsess_1_secret_1")
    with Sandbox(threaded=True, rate_limit=RateLimit(rate=100.0)) as threaded:
        assert_type(threaded.webhook_secret, str)


async def testing() -> None:
    clock = FakeClock(start=0.0, draw=0.5)
    script = ScriptedTransport([make_account(id="fca_1"), answer(status=503), {"id": "fca_2"}])
    script.add(make_page([make_transaction()]), fcasync.APIConnectionError("reset"))
    client = Client("sk_test_1", transport=script, clock=clock)
    assert_type(await client.accounts.retrieve("fca_1"), Account)
    clock.shift(-60.0)
    assert_type(clock.sleeps, list[float])
    instant = InstantTransport(lambda request: make_account(id="fca_1"))
    Client("sk_test_1", transport=instant, clock=FakeClock(paced_by=clock.monotonic))
    assert_type(instant.sent, int)
    assert_type(make_authorization(), Authorization)
    assert_type(make_owner(), AccountOwner)
    assert_type(make_ownership(), AccountOwnership)
    assert_type(make_session(), Session)
    assert_type(make_page([make_account()]), Page[Account])
    assert_type(make_thin_event(context="acct_1"), ThinEvent)
    body, headers = signed_webhook(make_event(), "whsec_1", 1_700_000_000)
    assert_type(body, bytes)
    assert_type(headers, dict[str, str])


@pytest.mark.fc_sandbox(accounts=2)
async def test_with_fixtures(fc_client: Client, fc_sandbox: Sandbox, fc_clock: FakeClock) -> None:
    fc_clock.advance(60.0)
    assert_type(await fc_client.accounts.list(), Page[Account])
    assert_type(fc_sandbox.now, float)
