"""OpenRegister's REST API: webhooks with their quirks, registers, schemas, workflow engines."""

import json
import re
import time
import uuid

import captures
import client
import php
from httpd import Response
from nextcloud_login import Denied, csrf_safe

BASE = "/index.php/apps/openregister/api/"
ORGANISATION = "7d2b1c0e-3f0a-4d53-9a2b-5a1f0c9e1a11"
FIELDS = ("uuid", "name", "url", "method", "events", "headers", "secret", "enabled", "filters", "retryPolicy",
          "maxRetries", "timeout", "configuration", "mapping", "organisation")
JSON_FIELDS = ("events", "headers", "filters", "configuration")


class Broken(Exception):
    """A database error or the like: the controller's 500."""


def answer(value, status=200):
    return Response(status, php.encode(value), "application/json; charset=utf-8")


class Store:
    """What the app keeps in its tables."""

    def __init__(self):
        self.webhooks, self.logs, self.engines = {}, [], {}
        self.last_webhook = 0
        created, updated = "RegisterCreatedEvent.standard.http", "RegisterDeletedEvent.standard.http"
        self.registers = {row["id"]: row for row in map(captures.entity, (created, updated))}
        self.registers[5].update(schemas=[27])
        names = ("SchemaCreatedEvent.standard.http", "SchemaUpdatedEvent.standard.http")
        self.schemas = {row["id"]: row for row in map(captures.entity, names)}
        for schema in self.schemas.values():
            schema["hooks"] = []

    def dump(self):
        return {"webhooks": list(self.webhooks.values()), "logs": self.logs, "engines": list(self.engines.values()),
                "registers": list(self.registers.values()), "schemas": list(self.schemas.values())}


class Api:
    def __init__(self, store, login, sender, objects):
        self.store, self.login, self.sender = store, login, sender
        self.routes = [
            (r"webhooks", {"GET": self.index, "POST": self.create}),
            (r"webhooks/events", {"GET": self.events}),
            (r"webhooks/logs", {"GET": self.all_logs}),
            (r"webhooks/logs/(\d+)/retry", {"POST": self.retry}),
            (r"webhooks/(\d+)", {"GET": self.show, "PUT": self.update, "DELETE": self.destroy}),
            (r"webhooks/(\d+)/test", {"POST": self.test}),
            (r"webhooks/(\d+)/logs", {"GET": self.logs}),
            (r"webhooks/(\d+)/logs/stats", {"GET": self.stats}),
            (r"(registers|schemas)", {"GET": self.entities}),
            (r"(registers|schemas)/([^/]+)", {"GET": self.entity, "PUT": self.change, "PATCH": self.change}),
            (r"engines", {"GET": self.engine_list, "POST": self.engine_create}),
            (r"engines/(\d+)", {"GET": self.engine_show, "DELETE": self.engine_delete}),
            (r"heartbeat", {"GET": lambda request: answer({"status": "alive", "timestamp": int(time.time())})}),
            *objects.routes(),
        ]

    def handle(self, request, disabled):
        caller = self.login.caller(request)
        if disabled:
            raise Denied(404, 404, "")
        rest = request.path.removeprefix(BASE).rstrip("/")
        for pattern, verbs in self.routes:
            found = re.fullmatch(pattern, rest)
            if found:
                break
        else:
            raise Denied(404, 404, "")
        if request.method not in verbs:
            raise Denied(405, 405, "")
        if not caller.known:
            raise Denied(401, 997, "Current user is not logged in")
        if rest.startswith("engines"):
            if request.method != "GET" and not caller.is_admin:
                raise Denied(403, 403, "Logged in account must be an admin")
            if not csrf_safe(request):
                return answer({"message": "CSRF check failed"}, 412)
        return verbs[request.method](request, *found.groups())

    # webhooks

    def index(self, request):
        rows = [row for row in self.store.webhooks.values() if self.filtered(row, request.query)]
        return answer({"results": [shown(row) for row in page(rows, request.query)], "total": len(rows)})

    @staticmethod
    def filtered(row, query):
        for key, wanted in query.items():
            column = re.fullmatch(r"filters\[(\w+)\]", key)
            if not column:
                continue
            value = row.get(re.sub(r"_(\w)", lambda letter: letter[1].upper(), column[1]))
            fits = {"IS NULL": value is None, "IS NOT NULL": value is not None}.get(wanted, str(value) == wanted)
            if not fits:
                return False
        return True

    def show(self, request, key):
        row = self.store.webhooks.get(int(key))
        return answer(shown(row)) if row else answer({"error": "Webhook not found"}, 404)

    def create(self, request):
        fields = fields_of(request)
        if not php.truthy(fields.get("name")) or not php.truthy(fields.get("url")):
            return answer({"error": "Name and URL are required"}, 400)
        row = new_row()
        fields.pop("organisation", None)
        try:
            hydrate(row, fields)
            if not row["events"]:
                raise Broken("An exception occurred while executing a query: SQLSTATE[HY000]: General error: 1364 "
                             "Field 'events' doesn't have a default value")
            self.check_uuid(row)
        except Broken as problem:
            return answer({"error": f"Failed to create webhook: {problem}"}, 500)
        self.store.last_webhook += 1
        row["id"] = self.store.last_webhook
        self.store.webhooks[row["id"]] = row
        return answer(shown(row), 201)

    def update(self, request, key):
        row = self.store.webhooks.get(int(key))
        if row is None:
            return answer({"error": "Webhook not found"}, 404)
        changed = dict(row)
        try:
            hydrate(changed, fields_of(request))
            self.check_uuid(changed)
        except Broken as problem:
            return answer({"error": f"Failed to update webhook: {problem}"}, 500)
        changed["updated"] = captures.iso(time.time())
        row.update(changed)
        return answer(shown(row))

    def check_uuid(self, row):
        if any(other["uuid"] == row["uuid"] and other["id"] != row["id"] for other in self.store.webhooks.values()):
            raise Broken("An exception occurred while executing a query: SQLSTATE[23000]: Integrity constraint "
                         f"violation: 1062 Duplicate entry '{row['uuid']}' for key 'openregister_webhooks_uuid_index'")

    def destroy(self, request, key):
        if self.store.webhooks.pop(int(key), None) is None:
            return answer({"error": "Webhook not found"}, 404)
        return Response(204)

    def events(self, request):
        with open(f"{captures.DATA}/openregister/api/events.json", encoding="utf-8") as file:
            return Response(200, json.load(file)["response"]["body_raw"], "application/json; charset=utf-8")

    async def test(self, request, key):
        row = self.store.webhooks.get(int(key))
        if row is None:
            return answer({"error": "Webhook not found"}, 404)
        data = {"test": True, "message": "This is a test webhook from OpenRegister",
                "timestamp": captures.iso(time.time())}
        sent = await self.sender.deliver(row, "OCA\\OpenRegister\\Event\\TestEvent", data)
        if sent and sent["success"]:
            return answer({"success": True, "message": "Test webhook delivered successfully"})
        log = next((log for log in reversed(self.store.logs) if log["webhook"] == row["id"]), {})
        told = {"success": False, "message": log.get("errorMessage") or "Test webhook delivery failed"}
        if log.get("statusCode") and not log["success"]:
            told["error_details"] = {"status_code": log["statusCode"], "response_body": log["responseBody"]}
        return answer(told, 500)

    # logs

    def logs(self, request, key):
        if int(key) not in self.store.webhooks:
            return answer({"error": "Webhook not found"}, 404)
        return self.log_page([log for log in self.store.logs if log["webhook"] == int(key)], request.query)

    def all_logs(self, request):
        wanted = request.query.get("webhook_id")
        return self.log_page([log for log in self.store.logs if wanted in (None, str(log["webhook"]))], request.query)

    @staticmethod
    def log_page(logs, query):
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 50))
        logs = logs[::-1][offset : offset + limit]
        if "success" in query and query["success"] in ("true", "1", "false", "0"):
            logs = [log for log in logs if log["success"] == (query["success"] in ("true", "1"))]
        return answer({"results": logs, "total": len(logs)})

    def stats(self, request, key):
        own = [log["success"] for log in self.store.logs if log["webhook"] == int(key)]
        pending = sum(log["nextRetryAt"] is not None for log in self.store.logs)
        return answer({"total": len(own), "successful": sum(own), "failed": len(own) - sum(own),
                       "pendingRetries": pending})

    def retry(self, request, key):
        log = next((log for log in self.store.logs if log["id"] == int(key)), None)
        if log is None:
            return answer({"error": "Webhook log not found"}, 404)
        if log["success"]:
            return answer({"error": "Cannot retry a successful webhook delivery"}, 400)
        return answer({"error": "Failed to retry webhook"}, 500)

    # registers and schemas

    def entities(self, request, family):
        rows = list(getattr(self.store, family).values())
        return answer({"results": page(rows, request.query)})

    def find(self, family, key):
        rows = getattr(self.store, family).values()
        return next((row for row in rows if key in (str(row["id"]), row["slug"], row["uuid"])), None)

    def entity(self, request, family, key):
        row = self.find(family, key)
        return answer(row) if row else answer({"error": f"{family[:-1].title()} not found"}, 404)

    def change(self, request, family, key):
        row = self.find(family, key)
        if row is None:
            return answer({"error": f"{family[:-1].title()} not found"}, 404)
        sent = fields_of(request)
        row.update({name: value for name, value in sent.items() if name in row and name not in ("id", "uuid")})
        row["updated"] = captures.iso(time.time())
        return answer(row)

    # workflow engines

    def engine_list(self, request):
        return answer([engine_shown(row) for row in self.store.engines.values()])

    def engine_show(self, request, key):
        row = self.store.engines.get(int(key))
        return answer(engine_shown(row)) if row else answer({"error": "Engine not found"}, 404)

    def engine_delete(self, request, key):
        found = self.store.engines.pop(int(key), None)
        return Response(204) if found else answer({"error": "Engine not found"}, 404)

    async def engine_create(self, request):
        fields = fields_of(request)
        if not fields.get("name") or fields.get("engineType") not in ("windmill", "n8n") or not fields.get("baseUrl"):
            return answer({"error": "name, engineType and baseUrl are required"}, 400)
        base = fields["baseUrl"].rstrip("/")
        path = "/api/version" if fields["engineType"] == "windmill" else "/rest/settings"
        health = await client.send("GET", base + path, [("Accept", "application/json")], b"", 5)
        now = captures.iso(time.time())
        row = {"id": max(self.store.engines, default=0) + 1, "uuid": str(uuid.uuid4()), "name": fields["name"],
               "engineType": fields["engineType"], "baseUrl": base, "authType": fields.get("authType", "none"),
               "authConfig": fields.get("authConfig") or {}, "enabled": php.truthy(fields.get("enabled", True)),
               "defaultTimeout": int(fields.get("defaultTimeout", 30)), "healthStatus": health.status == 200,
               "lastHealthCheck": now, "created": now, "updated": now}
        self.store.engines[row["id"]] = row
        return answer(engine_shown(row), 201)


def engine_shown(row):
    return {key: value for key, value in row.items() if key != "authConfig"}


def page(rows, query):
    limit = int(query["_limit"]) if "_limit" in query else None
    offset = int(query.get("_offset", 0))
    if limit and "_page" in query:
        offset = (int(query["_page"]) - 1) * limit
    return rows[offset : offset + limit if limit else None]


def fields_of(request):
    try:
        sent = json.loads(request.body) if request.body else {}
    except ValueError:
        sent = {}
    return {**request.query, **sent} if isinstance(sent, dict) else dict(request.query)


def shown(row):
    return {**row, "secret": None if row["secret"] is None else "***"}


def new_row():
    now = captures.iso(time.time())
    return {"id": None, "uuid": str(uuid.uuid4()), "name": "", "url": "", "method": "POST", "events": [],
            "headers": [], "secret": None, "enabled": True, "organisation": ORGANISATION, "filters": [],
            "retryPolicy": "exponential", "maxRetries": 3, "timeout": 30, "lastTriggeredAt": None,
            "lastSuccessAt": None, "lastFailureAt": None, "totalDeliveries": 0, "successfulDeliveries": 0,
            "failedDeliveries": 0, "created": now, "updated": now, "configuration": [], "mapping": None}


def hydrate(row, fields):
    """Absent and null fields stay as they are; a sent "***" is a secret like any other."""
    for name in FIELDS:
        value = fields.get(name)
        if value is None:
            continue
        if name in JSON_FIELDS:
            value = decoded(value)
        elif name == "enabled":
            value = php.truthy(value)
        elif name in ("maxRetries", "timeout", "mapping"):
            value = int(value)
        row[name] = value


def decoded(value):
    if not isinstance(value, str):
        return value or []
    try:
        return json.loads(value) or []
    except ValueError:
        return []
