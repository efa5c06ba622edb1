"""OpenTelemetry: spans of calls, requests and runs, and metrics; needs the extra ``otel``.

::

    client = fcasync.Client(hooks=[OpenTelemetryHook()])

``opentelemetry-instrument`` does the same for all clients of a program without a change to it, and
so does ``FcasyncInstrumentor().instrument()``.

======================  ===========================================================================
span                    kind, name and attributes
======================  ===========================================================================
per call                INTERNAL, ``fcasync refresh``; waits and retries included:
                        ``fcasync.operation``, ``fcasync.attempts``, ``fcasync.replayed``,
                        ``error.type``; events ``fcasync.retry`` and ``fcasync.limiter_wait``
per request, below it   CLIENT, ``POST /v1/financial_connections/accounts/{account}/refresh``:
                        ``http.request.method``, ``url.template``, ``server.address``,
                        ``server.port``, ``http.response.status_code``, ``error.type``,
                        ``http.request.resend_count`` (from the first retry on),
                        ``http.response.header.request-id``
per bulk job and per    INTERNAL, ``fcasync bulk refresh`` or ``fcasync mirror sync``:
sync of a mirror        ``fcasync.run.kind``, ``fcasync.operation``, ``error.type``, and at the end
                        the figures of the gauges below
======================  ===========================================================================

Each is the current span while its work is done, so that logs and spans of others belong to it.
What a run does has no spans of its own, unless ``spans_in_runs=True``: a job has one span, not
millions. Requests have none either where OpenTelemetry has instrumented the aiohttp session that
sends them: its span is the one per request then, below that of the call. (Its ``url.full`` holds
the ids of accounts, which is why fcasync's spans have ``url.template`` instead.)

==================================  ===============================================================
metric                              what it is
==================================  ===============================================================
``http.client.request.duration``    histogram, seconds: one value per request sent
``fcasync.call.duration``           histogram, seconds: one value per call
``fcasync.retries``                 counter: retried requests, by the error of the one before
``fcasync.limiter.wait``            histogram, seconds: waits of requests under the rate limit
``fcasync.run.done``                gauge: accounts with an outcome
``fcasync.run.failed``              gauge: how many of those have failed
``fcasync.run.waiting``             gauge: accounts that were read and have no outcome yet
``fcasync.run.settling``            gauge: how many of those wait for their banks
``fcasync.run.in_flight``           gauge: requests in flight
``fcasync.run.requests``            gauge: requests that were sent and change accounts
``fcasync.run.reads``               gauge: GETs that were sent
``fcasync.run.limit``               gauge, requests a second: the rate limit as learnt
==================================  ===============================================================

Metrics carry those attributes that take few values. Gauges add the runs up that do the same at the
same time; between two runs they show the last one.

Names follow the semantic conventions for HTTP where these define one
(https://opentelemetry.io/docs/specs/semconv/http/). Ids of objects, parameters, keys and account
numbers are never recorded.
"""

try:
    import opentelemetry.metrics
    import opentelemetry.trace  # noqa: F401 - looked for here, to say what is missing
except ModuleNotFoundError as _error:
    raise ImportError("fcasync.otel needs OpenTelemetry: pip install 'fcasync[otel]'") from _error

from fcasync._facts.public import show_as
from fcasync.otel._hook import OpenTelemetryHook
from fcasync.otel._instrumentor import FcasyncInstrumentor

__all__ = ["FcasyncInstrumentor", "OpenTelemetryHook"]

show_as(__name__, __all__, globals())
