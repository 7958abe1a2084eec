"""Asks for everything in the document, with what it allows and with what it does not, as an administrator or as nobody.

No answer may be a failure of the host, or have a status, a type, headers or a body that the document does not name. The
same questions are asked in every run. Ends with 1 if an answer is wrong, and says which.
"""

import collections
import json
import os
import sys
import time

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.transport.serialization import serialize_binary

ENDPOINT = os.environ["HF_ENDPOINT"]
HEADERS = {"authorization": f"Bearer {os.environ['HF_TOKEN']}"} if sys.argv[1] else {}
# Questions for each operation, of each kind.
EXAMPLES = 3
# Seconds for one answer: some wait for git, none for long.
PATIENCE = 20
# What there is, so that not everything is missing. The account that asks is not among it: it would be changed, or end.
KNOWN = {
    "owner": ["ada"],
    "name": ["page", "app"],
    "rev": ["main", "HEAD"],
    "path": ["README.md", "index.html"],
    "user": ["bob"],
    "organization": ["lab"],
    "number": [1],
    "release": [1],
    "subdomain": ["ada-page"],
}
CHECKS = [
    getattr(checks, name)
    for name in (
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    )
]


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """A commit: its first line as it should be, and one more."""
    return {"data": "\n".join(json.dumps(line) for line in ({"key": "header", "value": {"summary": "x"}}, value))}


@schemathesis.serializer("application/wasm")
def component(context, value):
    return {"data": serialize_binary(value)}


session = requests.Session()
statuses, wrong = collections.Counter(), {}


def place(case, known):
    """Puts what there is into the address."""
    for name in case.path_parameters or {}:
        if name in KNOWN:
            case.path_parameters[name] = KNOWN[name][known % len(KNOWN[name])]


def ask(case):
    """The answer to a question; of one that goes on, its head alone."""
    question = case.as_transport_kwargs(base_url=ENDPOINT)
    # What is asked without a token or with a wrong one is what nobody asks.
    question["headers"].update(HEADERS)
    is_endless = case.operation.path.rsplit("/", 1)[-1] in ("{log}", "events", "metrics")
    answer = session.request(**question, timeout=PATIENCE, allow_redirects=False, stream=is_endless)
    if is_endless and answer.ok:
        assert answer.headers["content-type"] == "text/event-stream", answer.headers
        answer.close()
        return answer, None
    return answer, schemathesis.Response.from_requests(answer, verify=False)


def look(case):
    answer, response = ask(case)
    statuses[answer.status_code] += 1
    if response is None:
        return
    try:
        case.validate_response(response, checks=CHECKS, headers=HEADERS)
    except (Failure, FailureGroup) as error:
        found = error.exceptions if isinstance(error, FailureGroup) else [error]
        for failure in found:
            key = (case.operation.label, failure.title, answer.status_code)
            wrong.setdefault(key, f"{failure.message}\n{case.as_curl_command()}\n{answer.text[:500]}")


def questions(operation, mode):
    # Which of the things that there are; three times out of four, any.
    known = st.sampled_from([0, 1, 2, None])

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode), known=known)
    def each(case, known):
        if known is not None:
            place(case, known)
        look(case)

    try:
        each()
    except Unsatisfiable:
        # Nothing about this operation can be asked wrongly.
        assert mode is GenerationMode.NEGATIVE, operation.label


started = time.monotonic()
schema = schemathesis.openapi.from_url(f"{ENDPOINT}/api/openapi.json")
operations = [result.ok() for result in schema.get_all_operations()]
# What removes things comes last, so that there is something to ask about.
operations.sort(key=lambda operation: operation.method == "delete")
for operation in operations:
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        questions(operation, mode)

for (label, title, status), text in sorted(wrong.items()):
    print(f"{label}: {title} ({status})\n{text}\n")
seconds = time.monotonic() - started
print(f"{len(operations)} operations, {statuses.total()} answers in {seconds:.0f} s: {dict(sorted(statuses.items()))}")
assert len(operations) > 100 and statuses.total() > 4 * len(operations), "the document says nothing any more"
raise SystemExit(1 if wrong else 0)
