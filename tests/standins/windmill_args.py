"""How Windmill turns a request into a job's arguments, and what it does to them before the job starts."""

import base64
import json
import re
from decimal import Decimal
from urllib.parse import parse_qsl

PREFIXES = ("$var:", "$res:", "$jsonvar:", "$encrypted:")
REFERENCE = re.compile(r"\$(?:var|res|jsonvar|encrypted):")
UNSTORABLE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
ARRAY_ITEMS_MAX = 1000
ARRAY_DEPTH_MAX = 2


class BadBody(Exception):
    """The message is the answer's text."""


class BrokenHandler(Exception):
    """The real handler panics here: 500 and nothing else."""


class MissingReference(Exception):
    pass


def strict_flag(query, name):
    """`true` or `false`; the real server unwraps the parse, so `1` brings the handler down."""
    value = query.get(name)
    if value not in (None, "true", "false"):
        raise BrokenHandler(f"{name}={value}")
    return value == "true"


def number(text):
    """A JSON number as PostgreSQL's jsonb hands it back."""
    value = Decimal(text)
    if "e" in text or "E" in text:
        return int(value) if value == value.to_integral_value() else float(value)
    return float(value) + 0.0


def constant(name):
    raise ValueError(f"expected value, found {name}")


def decode(body):
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise BadBody("Bad request: invalid utf8") from None
    if not text:
        raise BadBody("Bad request: invalid json: EOF while parsing a value at line 1 column 0")
    try:
        return text, json.loads(text, parse_float=number, parse_constant=constant)
    except (ValueError, RecursionError) as problem:
        raise BadBody(f"Bad request: invalid json: {problem}") from None


def arguments(request):
    """The job's arguments; what jsonb cannot hold is found later, by `unstorable`."""
    query = request.query
    wrap, raw = strict_flag(query, "wrap_body"), strict_flag(query, "raw")
    args = body_arguments(request, wrap)
    if raw:
        args["raw_string"] = raw_text(request.body)
    if "include_header" in query:
        for name in filter(None, query["include_header"].split(",")):
            value = request.header(name.strip().lower())
            if value is not None:
                args[name.strip().lower().replace("-", "_")] = value
    if "include_query" in query:
        for name in filter(None, query["include_query"].split(",")):
            if name in query:
                args[name] = query[name]
    return args


def body_arguments(request, wrap):
    content_type = request.header("content-type")
    if content_type is None and not request.body:
        return {}
    if content_type is None or content_type.startswith("application/json"):
        return json_arguments(request.body, wrap)
    if content_type.startswith("application/cloudevents-batch+json"):
        raise BadBody("Bad request: Cloudevents batching is not supported yet")
    if content_type.startswith("application/cloudevents+json"):
        return cloudevent_arguments(request.body, wrap)
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    if content_type.startswith("multipart/form-data"):
        raise BadBody("Bad request: multipart/form-data requires the workspace's object storage to be set")
    return {"raw_string": raw_text(request.body)}


def raw_text(body):
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


def json_arguments(body, wrap):
    text, value = decode(body)
    if text[0] != "{":  # white space before the brace counts as "not an object"
        return {"body": value}
    return {"body": value} if wrap else value


def cloudevent_arguments(body, wrap):
    _, event = decode(body)
    if not isinstance(event, dict):
        raise BadBody("Bad request: invalid cloudevent")
    data = event.pop("data", None)
    args = data if isinstance(data, dict) and not wrap else {"body": data}
    args["WEBHOOK__METADATA__"] = event
    return args


def unstorable(request, args_json):
    """The text of PostgreSQL's refusal, or an empty string."""
    if not UNSTORABLE.search(request.body) and "\\u0000" not in args_json:
        return ""
    if re.search(r"(?<!\\)(?:\\\\)*\\u0000", args_json):
        return "SqlErr: error returned from database: unsupported Unicode escape sequence @jobs.rs:6390"
    try:
        json.dumps(json.loads(args_json), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "SqlErr: error returned from database: invalid input syntax for type json @jobs.rs:6390"
    return ""


class Vault:
    """Variables and resources a job may refer to."""

    def __init__(self, variables=None, resources=None):
        self.variables = variables or {}
        self.resources = resources or {}

    def look_up(self, text):
        kind, _, path = text.partition(":")
        try:
            if kind == "$var":
                return self.variables[path]
            if kind == "$jsonvar":
                return json.loads(self.variables[path])
            if kind == "$res":
                return self.resources[path]
        except KeyError:
            noun = "Resource" if kind == "$res" else "Variable"
            raise MissingReference(f"{noun} {path} not found or not visible to the job") from None
        raise MissingReference("value could not be decrypted")


def interpolated(args, vault, environment):
    """Arguments with references put in; raises MissingReference, which fails the job."""
    done = {}
    for name, value in args.items():
        touched = REFERENCE.search(json.dumps(value))
        done[name] = replaced(value, vault, environment, 0) if touched else value
    return done


def replaced(value, vault, environment, depth):
    if isinstance(value, str):
        if value.startswith(PREFIXES):
            return vault.look_up(value)
        return environment.get(value, value)
    if isinstance(value, dict):
        return {key: replaced(inner, vault, environment, depth) for key, inner in value.items()}
    if isinstance(value, list) and len(value) <= ARRAY_ITEMS_MAX and depth < ARRAY_DEPTH_MAX:
        return [replaced(inner, vault, environment, depth + 1) for inner in value]
    return value
