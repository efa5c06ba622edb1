"""The catalogue of bad inputs: each row has the test that proves it."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache

import pytest

from tests._paths import DATA, ROOT

ROWS = [row["id"] for row in json.loads((DATA / "cases" / "bad_inputs.json").read_text())]

PROOFS = {
    "id-empty": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-dotdot": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-dot": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-traverse": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-pct-dot": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-slash": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-query": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-fragment": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-crlf": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-nul": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-backslash": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-unicode": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-long": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-type": "rules/test_checks.py::test_a_bad_id_is_refused",
    "id-wrong-prefix": "rules/test_checks.py::test_other_prefixes_are_the_servers_to_judge",
    "key-crlf": "rules/test_checks.py::test_a_bad_idempotency_key_is_refused",
    "key-nul-tab": "rules/test_checks.py::test_a_bad_idempotency_key_is_refused",
    "key-long": "rules/test_checks.py::test_a_bad_idempotency_key_is_refused",
    "key-empty": "rules/test_checks.py::test_a_bad_idempotency_key_is_refused",
    "key-unicode": "rules/test_checks.py::test_a_bad_idempotency_key_is_refused",
    "api-key-crlf": "rules/test_checks.py::test_a_bad_api_key_is_refused_without_an_echo",
    "api-key-pk": "rules/test_checks.py::test_a_bad_api_key_is_refused_without_an_echo",
    "account-header-crlf": "rules/test_checks.py::test_control_characters_in_a_header_are_refused",
    "base-userinfo": "rules/test_checks.py::test_a_bad_base_url_is_refused",
    "base-scheme": "rules/test_checks.py::test_a_bad_base_url_is_refused",
    "base-http-live": "rules/test_checks.py::test_a_live_key_is_never_sent_in_clear",
    "base-path": "rules/test_checks.py::test_a_bad_base_url_is_refused",
    "base-homograph": "rules/test_checks.py::test_a_bad_base_url_is_refused",
    "base-metadata": "rules/test_checks.py::test_a_bad_base_url_is_refused",
    "redirect-302": "wire/test_transport.py::test_redirects_are_never_followed",
    "redirect-307": "wire/test_transport.py::test_redirects_are_never_followed",
    "redirect-same": "wire/test_transport.py::test_redirects_are_never_followed",
    "env-proxy": "wire/test_transport.py::test_the_environment_does_not_reroute_requests",
    "tls-off": "rules/test_checks.py::test_there_is_no_switch_for_certificate_checks",
    "gzip-bomb": "wire/test_transport.py::test_a_gzip_bomb_is_cut_off",
    "huge-body": "wire/test_transport.py::test_an_endless_body_is_cut_off",
    "slow-drip": "wire/test_transport.py::test_the_timeout_covers_the_body",
    "short-body": "wire/test_transport.py::test_a_short_body_is_a_lost_answer_and_retried",
    "json-nest": "rules/test_interpret.py::test_what_is_not_json_is_a_protocol_error",
    "json-bigint": "rules/test_interpret.py::test_what_is_not_json_is_a_protocol_error",
    "json-nan": "rules/test_interpret.py::test_what_is_not_json_is_a_protocol_error",
    "json-dup": "rules/test_interpret.py::test_the_last_of_duplicate_keys_wins",
    "json-surrogate": "rules/test_interpret.py::test_half_a_surrogate_pair_is_kept",
    "json-bom-utf16": "rules/test_interpret.py::test_what_is_not_json_is_a_protocol_error",
    "json-shape": "rules/test_interpret.py::test_a_wrong_shape_is_a_protocol_error_with_its_path",
    "html-200": "wire/test_transport.py::test_html_with_200_is_a_protocol_error",
    "unknown-enum": "resources/test_requests.py::test_a_refreshed_account_may_be_pending",
    "list-loop": "resources/test_paginator.py::test_a_list_without_progress_is_an_error",
    "error-body": "rules/test_interpret.py::test_an_error_without_a_body_is_typed_by_its_status",
    "retry-after-hostile": "wire/test_engine.py::test_retry_after_lengthens_the_wait_within_bounds",
    "should-retry-garbage": "wire/test_engine.py::test_advice_in_another_spelling_is_none",
    "wh-future": "webhooks/test_webhooks.py::test_a_signature_from_the_future_is_refused",
    "wh-old": "webhooks/test_webhooks.py::test_an_old_signature_is_refused",
    "wh-v0": "webhooks/test_webhooks.py::test_another_scheme_is_ignored",
    "wh-two-t": "webhooks/test_webhooks.py::test_two_times_are_refused",
    "wh-nonascii": "webhooks/test_webhooks.py::test_a_signature_that_is_not_ascii_is_refused",
    "wh-badutf8": "webhooks/test_webhooks.py::test_a_signature_covers_any_bytes",
    "wh-nonobject": "webhooks/test_webhooks.py::test_a_signed_payload_must_be_an_event",
    "wh-10k": "webhooks/test_webhooks.py::test_oversized_webhooks_are_refused",
    "wh-empty-secret": "webhooks/test_webhooks.py::test_an_invalid_secret_is_refused",
    "wh-reserialised": "webhooks/test_webhooks.py::test_a_body_that_was_parsed_is_refused",
    "wh-replay": "webhooks/test_webhooks.py::test_a_repeated_event_is_dropped",
    "repr-leak": "wire/test_transport.py::test_no_error_shows_the_key",
    "pickle": "test_client.py::test_a_client_cannot_be_pickled",
    "journal-inject": "bulk/journal/test_journal.py::test_other_files_are_refused",
    "journal-torn": "bulk/journal/test_journal.py::test_damage_is_noticed_or_harmless",
    "journal-mismatch": "bulk/journal/test_journal.py::test_another_job_is_refused_unchanged",
    "sandbox-exposed": "sandbox/server/test_listener.py::test_a_bad_credential_is_401",
}
"""Row of the catalogue: the test, below ``tests``."""


@cache
def module(path: str) -> ast.Module:
    return ast.parse((ROOT / "tests" / path).read_text())


def function(path: str, name: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """Return the test called *name*, which must be the only one."""
    functions = [
        node
        for node in module(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    (found,) = functions
    return found


def names_used(node: ast.AST) -> set[str]:
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def texts(path: str, name: str) -> Iterator[str]:
    """Yield the strings of a test, and those of the tables that its parameters come from."""
    test = function(path, name)
    used = names_used(test)
    nodes: list[ast.stmt] = [test]
    for node in module(path).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id in used for target in targets):
            nodes.append(node)
    for node in nodes:
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def is_named(row: str, text: str) -> bool:
    """Return whether *text* begins with the id of *row*, as a docstring or a key of a table does.

    A key may say more (``base-scheme-ftp``), a docstring may name several rows.
    """
    return re.match(rf"(?:[a-z0-9-]+, )*{re.escape(row)}(?!\w)", text) is not None


def test_every_row_has_its_proof() -> None:
    """No row is without one, and no proof is of a row that is gone."""
    assert list(PROOFS) == ROWS


@pytest.mark.parametrize("row", PROOFS)
def test_a_proof_is_a_test_that_names_its_row(row: str) -> None:
    """A test that was deleted, renamed, skipped, or made to say something else is missed."""
    path, _, name = PROOFS[row].partition("::")
    assert name.startswith("test_")
    assert any(is_named(row, text) for text in texts(path, name))
    marks = [ast.unparse(mark) for mark in function(path, name).decorator_list]
    assert not [mark for mark in marks if "skip" in mark or "xfail" in mark]


def test_a_row_is_not_named_by_chance() -> None:
    """A word inside a sentence, or a longer id, is not an id of a row."""
    assert is_named("id-dot", "id-dot")
    assert is_named("base-path", "base-path-query")
    assert is_named("html-200", "json-nest, html-200: why")
    assert not is_named("id-dot", "id-dotdot")
    assert not is_named("pickle", "import pickle")
