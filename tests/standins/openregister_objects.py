"""What can be polled: objects, the audit trail, the realtime log. Replayed events fill them."""

import re
import secrets
import time
import uuid

import captures
import php
from httpd import Response

AUDIT_FILTERS = ("uuid", "object", "action", "changed", "user", "userName", "session", "request", "ipAddress",
                 "version", "created")
AUDIT_ACTIONS = {"create": "create", "update": "update", "locked": "lock", "unlocked": "unlock"}
GZIP_FROM_RESULTS = 11


def answer(value, status=200, headers=None):
    return Response(status, php.encode(value), "application/json; charset=utf-8", headers)


class Objects:
    def __init__(self, store, realtime):
        self.store = store
        self.realtime = realtime  # only on OpenRegister's development branch
        self.rows, self.audit, self.log = {}, [], []

    def routes(self):
        return [
            (r"objects", {"GET": lambda request: self.listed(request, [])}),
            (r"objects/([^/]+)/([^/]+)", {"GET": self.index}),
            (r"objects/([^/]+)/([^/]+)/([^/]+)", {"GET": self.show}),
            (r"audit-trails", {"GET": self.trail}),
            (r"realtime/events", {"GET": self.realtime_events}),
            (r"realtime/cursor", {"GET": lambda request: self.live({"cursor": len(self.log)})}),
        ]

    # filled by replays

    def keep(self, event_class, data):
        """Notes the object's new state; returns what the audit trail will say, to be added after the event."""
        action = data.get("action")
        if data.get("objectType") != "object" or "object" not in data or action not in ("delete", *AUDIT_ACTIONS):
            return None
        thing = data["object"]
        before = self.rows.get(thing["id"])
        if action == "delete":  # a purge: the audit trail had its row when the object was put aside
            self.rows.pop(thing["id"], None)
            return None
        self.rows[thing["id"]] = thing
        soft = bool(thing["@self"]["deleted"]) and action == "update"
        kind = "delete" if soft else AUDIT_ACTIONS[action]
        return self.audit_row(kind, thing, changes(before, thing) if kind in ("create", "update") else [])

    def audit_row(self, action, thing, changed):
        own = thing["@self"]
        register = self.store.registers.get(int(own["register"]), {})
        schema = self.store.schemas.get(int(own["schema"]), {})
        row_id = own["description"] if isinstance(own["description"], int) else 1
        return {"id": 0, "uuid": str(uuid.uuid4()), "schema": int(own["schema"]), "register": int(own["register"]),
                "object": row_id, "objectUuid": thing["id"], "registerUuid": register.get("uuid"),
                "schemaUuid": schema.get("uuid"), "action": action, "changed": changed, "user": own["owner"],
                "userName": own["owner"], "session": secrets.token_hex(13), "request": secrets.token_hex(10),
                "ipAddress": "127.0.0.1", "version": own["version"], "created": captures.iso(time.time()),
                "organisationId": own["organisation"], "size": 0, "expires": captures.iso(time.time() + 30 * 86400),
                "hash": None, "previousHash": None}

    def note(self, row):
        if row is None:
            return
        self.audit.append({**row, "id": len(self.audit) + 1})
        kind = {"create": "created", "update": "updated", "delete": "updated"}.get(row["action"])
        if kind:
            self.log.append(self.realtime_row(kind, row))

    @staticmethod
    def realtime_row(kind, row):
        about = {"register": row["register"], "schema": row["schema"], "uuid": row["objectUuid"], "urn": None,
                 "organisation": row["organisationId"], "owner": row["user"], "actor": row["user"], "extra": []}
        return {"specversion": "1.0", "type": f"or.object.{kind}", "source": "/apps/openregister",
                "subject": row["objectUuid"], "id": secrets.token_hex(16), "time": row["created"],
                "datacontenttype": "application/json", "data": about}

    # read by pollers

    def entity_id(self, family, key):
        rows = getattr(self.store, family).values()
        return next((str(row["id"]) for row in rows if key in (str(row["id"]), row["slug"], row["uuid"])), key)

    def index(self, request, register, schema):
        register, schema = self.entity_id("registers", register), self.entity_id("schemas", schema)
        rows = [thing for thing in self.rows.values() if not thing["@self"]["deleted"]
                and (thing["@self"]["register"], thing["@self"]["schema"]) == (register, schema)]
        return self.listed(request, rows)

    def listed(self, request, rows):
        query = request.query
        if "_ids" in query:
            rows = [thing for thing in rows if thing["id"] in query["_ids"].split(",")]
        if "_search" in query:
            rows = [thing for thing in rows if query["_search"].lower() in php.encode(thing).lower()]
        for name, wanted in query.items():  # without an underscore it is a filter on a property
            if not name.startswith("_") and name not in ("rbac",):
                rows = [thing for thing in rows if str(reach(thing, name)) == wanted]
        rows = ordered(rows, query)
        limit = int(query.get("_limit", 20))
        offset = int(query["_offset"]) if "_offset" in query else (int(query.get("_page", 1)) - 1) * limit
        results = rows[offset : offset + limit]
        if query.get("_empty") != "true":
            results = [stripped(thing) for thing in results]
        headers = {"Content-Encoding": "gzip"} if len(results) >= GZIP_FROM_RESULTS else None  # and yet plain
        return answer({"results": results, "total": len(rows), "page": offset // max(limit, 1) + 1,
                       "pages": max(-(-len(rows) // max(limit, 1)), 1), "limit": limit, "offset": offset,
                       "@self": {"source": "database"}}, headers=headers)

    def show(self, request, register, schema, key):
        thing = self.rows.get(key)
        if thing is None or thing["@self"]["deleted"]:
            return answer({"error": "Not Found"}, 404)
        self.note(self.audit_row("read", thing, []))
        return answer(thing)

    def trail(self, request):
        """Always the oldest first, whatever direction is asked for."""
        query, rows = request.query, self.audit
        for name in AUDIT_FILTERS:
            column = re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)
            if column in query:
                rows = [row for row in rows if str(row[name]) in query[column].split(",")]
        limit = int(query.get("limit", query.get("_limit", 20)))
        page = int(query.get("page", query.get("_page", 1)))
        offset = int(query.get("offset", query.get("_offset", (page - 1) * limit)))
        return answer({"results": rows[offset : offset + limit], "total": len(rows),
                       "page": offset // max(limit, 1) + 1, "pages": -(-len(rows) // max(limit, 1)), "limit": limit,
                       "offset": offset})

    def realtime_events(self, request):
        since, limit = int(request.query.get("since", 0)), min(int(request.query.get("limit", 100)), 1000)
        found = [{**event, "_cursor": at} for at, event in enumerate(self.log, 1) if at > since and
                 all(request.query.get(name) in (None, str(event["data"][key])) for name, key in
                     (("register", "register"), ("schema", "schema"), ("objectUuid", "uuid")))]
        cursor = found[:limit][-1]["_cursor"] if found else since
        return self.live({"events": found[:limit], "cursor": cursor, "hasMore": len(found) > limit})

    def live(self, value):
        return answer(value) if self.realtime else Response(404, "<!DOCTYPE html>\n", "text/html; charset=UTF-8")


def reach(value, path):
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


def ordered(rows, query):
    for name, direction in query.items():
        column = re.fullmatch(r"_order\[(?:@self\.|_)?(\w+)\]", name)
        if column:
            key = "id" if column[1] == "uuid" else column[1]
            rows = sorted(rows, key=lambda thing: str(thing["@self"].get(key, thing.get(key))),
                          reverse=direction.upper() == "DESC")
    return rows


def stripped(value):
    """Lists of objects leave out what is null or empty."""
    if isinstance(value, dict):
        inner = {key: stripped(one) for key, one in value.items()}
        return {key: one for key, one in inner.items() if one not in (None, "", []) and one != {}}
    return [stripped(one) for one in value] if isinstance(value, list) else value


def changes(before, after):
    before = before or {}
    return {key: {"old": before.get(key), "new": value} for key, value in after.items() if before.get(key) != value}
