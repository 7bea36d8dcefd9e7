"""Hooks of schemathesis: the values of the test's cluster, and what the document cannot express."""

import os
from collections import Counter

import schemathesis
from schemathesis.core.parameters import ParameterLocation

# Whether the nodes demand a proof from everyone.
SECURED = os.environ.get("QUORATE_OPENAPI_SECURED") == "1"
# The engines and node ids of the coordinators that the test announces.
COORDINATORS = "coordinator-"
# Maximum wait of a lookup with an index.
SHORT_WAIT = "50ms"
ENGINE_TOKENS = ("X-Presto-Internal-Bearer", "X-Trino-Internal-Bearer")
STREAM = "text/event-stream"
# The number of requests to each operation whose response has several formats.
negotiated = Counter()


@schemathesis.deserializer("text/plain", "application/openmetrics-text")
def text_of(context, response):
    """Returns the text of a response, so that it is compared with its schema."""
    return response.content.decode()


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Sets the environment of the cluster, and the proofs that the cluster demands."""
    raw_schema["components"]["schemas"]["Environment"]["const"] = "test"
    if not SECURED:
        return
    for item in raw_schema["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and operation.get("x-quorate-policy") != "peer":
                operation["security"] = [way for way in operation.get("security", []) if way]


def is_positive(case):
    """Returns whether the request is meant to be valid."""
    return case.meta is not None and case.meta.generation.mode.is_positive


def is_negative_at(case, location):
    """Returns whether this part of the request is meant to be invalid."""
    return case.meta is not None and case.meta.is_negative_at(location)


def ask_for_each_format(case):
    """Asks for the formats of a response in turn, except that `watch` always gets a stream."""
    documented = case.operation.definition.raw["responses"].get("200", {}).get("content", {})
    formats = [media_type for media_type in documented if media_type != STREAM]
    if len(formats) < 2 or "watch" in (case.query or {}) or "Accept" in case.headers:
        return
    case.headers["Accept"] = formats[negotiated[case.operation.label] % len(formats)]
    negotiated[case.operation.label] += 1


@schemathesis.hook
def before_call(context, case, kwargs):
    """Shortens waits, and follows the rules between parameters that OpenAPI cannot express."""
    path_parameters, query = case.path_parameters or {}, case.query or {}
    headers = case.headers or {}
    node_id = path_parameters.get("node_id")
    if isinstance(node_id, str) and node_id.startswith(COORDINATORS):
        path_parameters["node_id"] = "worker-1"
    if is_positive(case):
        if query.get("consistency") == "stale":
            query.pop("index", None)
        if "index" not in query:
            query.pop("wait", None)
    if "index" in query and ("wait" not in query or is_positive(case)):
        query["wait"] = SHORT_WAIT
    ask_for_each_format(case)
    # Last-Event-ID takes precedence, so that a wrong position in the query would not matter.
    if "from" in query and is_negative_at(case, ParameterLocation.QUERY):
        headers.pop("Last-Event-ID", None)
    # Every request has a person's token, which alone counts here. The check of ignored proofs sends
    # wrong tokens of engines by themselves, and those requests do not pass through this hook.
    if SECURED and case.operation.definition.raw.get("x-quorate-policy") == "own-node":
        for name in ENGINE_TOKENS:
            headers.pop(name, None)
