"""The app webhook_listeners: its OCS API, and its deliveries."""

import base64
import json
import re
import secrets
from xml.sax.saxutils import escape

import client
import php
from httpd import Response
from nextcloud_login import Denied, csrf_safe

BASE = re.compile(r"^/ocs/v2\.php/apps/webhook_listeners/api/v1/webhooks(?:/(.*))?$")
BAD_QUERY = ("Invalid query, please check the syntax. API specifications are here: "
             "http://www.freedesktop.org/wiki/Specifications/open-collaboration-services.\n")
NO_ROW = ('Did expect one result but found none when executing: query "SELECT * FROM '
          '`*PREFIX*webhook_listeners` WHERE `id` = :dcValue1"; ')
NOT_ADMIN = "Logged in account must be an admin, a sub admin or gotten special right to access this setting"
NO_AUTH_DATA = "Header auth method needs an associative array of headers as auth data"
JOB_ARGUMENT_BYTES_MAX = 4000
NODE = [f"OCP\\Files\\Events\\Node\\{before}Node{verb}Event" for before in ("", "Before")
        for verb in ("Created", "Touched", "Written", "Deleted", "Copied", "Renamed")]
OTHERS = {
    "OCP\\Files\\Events\\Node\\": ["BeforeNodeReadEvent", "AbstractNodeEvent", "AbstractNodesEvent"],
    "OCA\\Files_Trashbin\\Events\\": ["NodeRestoredEvent", "BeforeNodeRestoredEvent"],
    "OCP\\Calendar\\Events\\CalendarObject": ["CreatedEvent", "UpdatedEvent", "DeletedEvent", "MovedToTrashEvent",
                                              "RestoredEvent", "MovedEvent"],
    "OCP\\SystemTag\\": ["TagAssignedEvent", "TagUnassignedEvent", "MapperEvent"],
    "OCP\\User\\Events\\": ["UserFirstTimeLoggedInEvent"],
    "OCA\\Forms\\Events\\": ["FormSubmittedEvent"],
    "OCA\\Tables\\Event\\": ["RowAddedEvent", "RowUpdatedEvent", "RowDeletedEvent"],
    "OCA\\Deck\\Event\\": ["CardCreatedEvent", "CardUpdatedEvent", "CardDeletedEvent", "AclCreatedEvent",
                           "AclUpdatedEvent", "AclDeletedEvent", "BoardUpdatedEvent", "ACardEvent"],
    "OCA\\Mail\\Events\\": ["NewMessageReceivedEvent", "MessageFlaggedEvent", "MessageSentEvent",
                            "MessageDeletedEvent"],
    "OCA\\AnnouncementCenter\\Events\\": ["AnnouncementPublished"],
}
CLASSES = set(NODE) | {space + name for space, names in OTHERS.items() for name in names}


def wants_json(request, early):
    if request.query.get("format"):
        return request.query["format"] == "json"
    return not early and "json" in request.header("accept", "")


def ocs(request, data, status=200, code=None, message="OK", early=False, headers=None):
    meta = {"status": "ok" if status == 200 else "failure", "statuscode": code or status, "message": message}
    if wants_json(request, early):
        body = php.encode({"ocs": {"meta": meta, "data": data}})
        return Response(status, body, "application/json; charset=utf-8", headers)
    text = f'<?xml version="1.0"?>\n<ocs>\n{xml("meta", meta, 1)}{xml("data", data, 1)}</ocs>\n'
    return Response(status, text, "text/xml; charset=UTF-8", headers)


def xml(name, value, depth):
    pad = " " * depth
    if isinstance(value, (dict, list)):
        items = value.items() if isinstance(value, dict) else (("element", one) for one in value)
        inner = "".join(xml(key, one, depth + 1) for key, one in items)
        return f"{pad}<{name}>\n{inner}{pad}</{name}>\n" if inner else f"{pad}<{name}/>\n"
    text = "" if value is None or value is False else "1" if value is True else escape(str(value))
    return f"{pad}<{name}>{text}</{name}>\n" if text else f"{pad}<{name}/>\n"


class BadRow(Exception):
    """A registration the controller refuses: 400 with this text."""


class Listeners:
    def __init__(self, login, version, or_classes_compatible):
        self.login = login
        self.version = version
        self.or_classes_compatible = or_classes_compatible
        self.app_is_there = lambda app: app in login.apps
        self.rows = {}
        self.secrets = {}  # id -> authData in clear
        self.last_id = 0

    # API

    def handle(self, request, disabled):
        caller = self.login.caller(request)
        place = BASE.match(request.path)
        if disabled or not place:
            raise Denied(404, 998, BAD_QUERY)
        rest = place[1] or ""
        work = self.work(request.method, rest)
        if not caller.known:
            raise Denied(401, 997, "Current user is not logged in", early=False)
        if not caller.is_admin:
            raise Denied(403, 403, NOT_ADMIN, early=False)
        if not csrf_safe(request) and caller.app is None:
            return Response(412, php.encode({"message": "CSRF check failed"}), "application/json; charset=utf-8")
        return work(request, caller, rest)

    def work(self, method, rest):
        if rest.startswith("byappid/") and rest.count("/") == 1:
            table = {"DELETE": self.delete_app}
        elif "/" in rest:
            raise Denied(404, 998, BAD_QUERY)
        else:
            table = {"GET": self.show, "POST": self.update, "DELETE": self.delete} if rest else \
                {"GET": self.list, "POST": self.create}
        if method not in table:
            raise Denied(405, 405, "")
        return table[method]

    def list(self, request, caller, rest):
        uri = request.query.get("uri")
        return ocs(request, [self.shown(row) for row in self.rows.values() if uri in (None, row["uri"])])

    def show(self, request, caller, rest):
        row = self.rows.get(number(rest))
        if row is None:
            return ocs(request, [], 404, message=NO_ROW)
        return ocs(request, self.shown(row))

    def create(self, request, caller, rest):
        try:
            row, secret = self.row_of(request, caller, self.last_id + 1)
        except BadRow as problem:
            return ocs(request, [], 400, message=str(problem))
        self.last_id += 1
        self.rows[row["id"]], self.secrets[row["id"]] = row, secret
        return ocs(request, self.shown(row))

    def update(self, request, caller, rest):
        """A full replace; for an unknown id 200 all the same, and nothing is stored."""
        try:
            row, secret = self.row_of(request, caller, number(rest))
        except BadRow as problem:
            return ocs(request, [], 400, message=str(problem))
        if row["id"] in self.rows:
            self.rows[row["id"]], self.secrets[row["id"]] = row, secret
        return ocs(request, self.shown(row))

    def delete(self, request, caller, rest):
        self.secrets.pop(number(rest), None)
        return ocs(request, self.rows.pop(number(rest), None) is not None)

    def delete_app(self, request, caller, rest):
        app = rest.removeprefix("byappid/")
        gone = [key for key, row in self.rows.items() if row["appId"] == app]
        for key in gone:
            del self.rows[key], self.secrets[key]
        return ocs(request, len(gone))

    def row_of(self, request, caller, row_id):
        fields = fields_of(request)
        method = fields.get("authMethod") or "none"
        if method not in ("none", "header"):
            raise BadRow("This auth method does not exist")
        event = fields["event"].lstrip("\\")
        if event not in CLASSES and not (self.or_classes_compatible and event.startswith("OCA\\OpenRegister\\Event\\")):
            raise BadRow(f"{event} is not an event class compatible with webhooks")
        auth_data = fields.get("authData") if method == "header" else None
        if method == "header" and not auth_data:
            raise BadRow(NO_AUTH_DATA)
        row = {"id": row_id, "appId": caller.app, "userId": caller.user, "httpMethod": fields["httpMethod"],
               "uri": fields["uri"], "event": event, "eventFilter": fields.get("eventFilter") or [],
               "userIdFilter": fields.get("userIdFilter") or "", "headers": fields.get("headers"),
               "authMethod": method, "authData": encrypted() if auth_data else None,
               "tokenNeeded": fields.get("tokenNeeded")}
        return row, auth_data

    def shown(self, row):
        return row if self.version >= 33 else {key: value for key, value in row.items() if key != "tokenNeeded"}

    # deliveries

    async def fire(self, payload):
        """What one event does in the user's request and, for each row, in a background job."""
        sent = []
        for row in list(self.rows.values()):
            user = (payload.get("user") or {}).get("uid")
            if row["event"] != payload["event"]["class"] or row["userIdFilter"] not in ("", user):
                continue
            try:
                if not matches(row["eventFilter"], payload):
                    continue
            except ValueError as problem:
                sent.append({"kind": "listener", "id": row["id"], "exception": str(problem)})
                break
            argument = php.encode([payload, row["id"], 1234567890])
            if len(argument) > JOB_ARGUMENT_BYTES_MAX:
                reason = "Background job arguments can't exceed 4000 characters (json encoded)"
                sent.append({"kind": "listener", "id": row["id"], "exception": reason})
                break
            sent.append(await self.deliver(row, php.encode(json.loads(argument)[0]).encode()))
        return sent

    async def deliver(self, row, body):
        url, headers = row["uri"], [("User-Agent", f"Nextcloud-Server-Crawler/{self.version}.0.1"),
                                    ("Accept-Encoding", "gzip")]
        headers += list((row["headers"] or {}).items()) + list((self.secrets[row["id"]] or {}).items())
        if url.startswith("/") and not self.app_is_there(row["appId"]):
            return {"kind": "listener", "id": row["id"], "status": None, "answer": "", "success": False,
                    "error": "ExApp not found or disabled"}
        if url.startswith("/"):
            secret, base = self.login.apps[row["appId"]]
            url = base + url
            headers += exapp_headers(row["appId"], secret, self.version)
        answer = await client.send(row["httpMethod"], url, headers, body, 3 if row["appId"] else 30)
        return {"kind": "listener", "id": row["id"], "status": answer.status, "answer": answer.text,
                "error": answer.error or None, "success": answer.status is not None and answer.status // 100 == 2}


def exapp_headers(app, secret, version):
    return [("AA-VERSION", f"{version}.0.0"), ("EX-APP-ID", app), ("EX-APP-VERSION", "1.0.0"),
            ("AUTHORIZATION-APP-API", base64.b64encode(f":{secret}".encode()).decode()),
            ("AA-REQUEST-ID", "CLI"), ("Accept-Language", "en")]


def encrypted():
    return f"{secrets.token_hex(32)}|{secrets.token_hex(16)}|{secrets.token_hex(64)}|3"


def number(text):
    """PHP's cast of a route parameter."""
    digits = re.match(r"\d+", text)
    return int(digits[0]) if digits else 0


def fields_of(request):
    """Sent fields; what PHP's type check refuses is an early 500."""
    try:
        sent = json.loads(request.body) if request.body else {}
        fields = {**request.query, **sent}
    except (ValueError, TypeError):
        raise Denied(500, 996, "Internal Server Error\n") from None
    texts = all(isinstance(fields.get(name), str) for name in ("httpMethod", "uri", "event"))
    maps = all(isinstance(fields.get(name), (dict, list, type(None)))
               for name in ("eventFilter", "headers", "authData", "tokenNeeded"))
    if not texts or not maps:
        raise Denied(500, 996, "Internal Server Error\n")
    return fields


# eventFilter

MISSING = object()
TESTS = {
    "$e": lambda value, wanted: equal(value, wanted),
    "$ne": lambda value, wanted: not equal(value, wanted),
    "$in": lambda value, wanted: value is not MISSING and any(loosely(value, one) for one in wanted),
    "$nin": lambda value, wanted: value is MISSING or not any(loosely(value, one) for one in wanted),
    "$exists": lambda value, wanted: (value not in (MISSING, None)) == php.truthy(wanted),
    "$gt": lambda value, wanted: value is not MISSING and value > wanted,
    "$gte": lambda value, wanted: value is not MISSING and value >= wanted,
    "$lt": lambda value, wanted: value is not MISSING and value < wanted,
    "$lte": lambda value, wanted: value is not MISSING and value <= wanted,
}


def matches(query, payload):
    """PHPMongoQuery, the operators in TESTS and $and/$or/$nor; any other raises ValueError, as there."""
    for key, wanted in (query or {}).items():
        if key in ("$and", "$or", "$nor"):
            if not wanted:
                raise ValueError(f"{key} requires nonempty array")
            found = [matches(one, payload) for one in wanted]
            if not {"$and": all(found), "$or": any(found), "$nor": not any(found)}[key]:
                return False
        elif not holds(reach(payload, key), wanted):
            return False
    return True


def reach(value, path):
    for step in path.split("."):
        if not isinstance(value, dict) or step not in value:
            return MISSING
        value = value[step]
    return value


def holds(value, wanted):
    if not isinstance(wanted, dict) or not all(key.startswith("$") for key in wanted):
        return equal(value, wanted)
    for name, operand in wanted.items():
        if name not in TESTS:
            raise ValueError(f"Unknown operator {name}")
        if not TESTS[name](value, operand):
            return False
    return True


def equal(value, wanted):
    pattern = re.fullmatch(r"/(.*)/([a-zA-Z]*)", wanted, re.DOTALL) if isinstance(wanted, str) else None
    if pattern:
        if set(pattern[2]) - set("ims") or re.search(r"(?<!\\)/", pattern[1]):
            return False
        flags = sum({"i": re.I, "m": re.M, "s": re.S}[letter] for letter in set(pattern[2]))
        return isinstance(value, str) and re.search(pattern[1], value, flags) is not None
    if isinstance(value, list) and not isinstance(wanted, list):
        return any(loosely(one, wanted) for one in value)
    return value is not MISSING and type(value) is type(wanted) and value == wanted


def loosely(value, wanted):
    return value == wanted or str(value) == str(wanted)
