"""What can be polled: objects, the audit trail, the realtime log. Replayed events fill them."""

import re
import secrets
import time
import uuid

import captures
import php
from httpd import Response
from openregister_quirks import Log, Quirks

AUDIT_FILTERS = ("uuid", "object", "action", "changed", "user", "userName", "session", "request", "ipAddress",
                 "version", "created")
REALTIME_KINDS = {"create": "created", "update": "updated", "delete": "updated"}
AUDIT_ACTIONS = {"create": "create", "update": "update", "locked": "lock", "unlocked": "unlock"}
NO_FILTERS = ("rbac", "_multi", "multi", "deleted")


def answer(value, status=200, headers=None):
    return Response(status, php.encode_answer(value), "application/json; charset=utf-8", headers)


def nothing_there():
    return Response(404, "<!DOCTYPE html>\n", "text/html; charset=UTF-8")


class Objects:
    def __init__(self, store, realtime):
        self.store = store
        self.realtime = realtime  # only on OpenRegister's development branch
        self.quirks = Quirks()
        self.rows, self.audit, self.log = {}, Log(self.quirks), Log(self.quirks)
        self.texts = {}  # audit id -> the row as it is sent: rows never change
        self.single_reads = 0  # each of them left a `read` row

    def routes(self):
        return [
            (r"objects", {"GET": lambda request: self.listed(request, [])}),
            (r"objects/([^/]+)/([^/]+)", {"GET": self.index}),
            (r"objects/([^/]+)/([^/]+)/([^/]+)", {"GET": self.show}),
            (r"audit-trails", {"GET": self.trail}),
            (r"realtime/events", {"GET": self.realtime_events}),
            (r"realtime/cursor", {"GET": lambda request: self.live({"cursor": self.newest_realtime()})}),
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

    def note(self, row, kind=None):
        """Adds to the logs what they tell of a change: (audit id, realtime cursor), None where they say nothing."""
        if row is None:
            return None, None
        kind = kind or REALTIME_KINDS.get(row["action"])
        written = self.audit.add(row) if self.quirks.audit and row["action"] else None
        told = self.log.add(self.realtime_row(kind, row)) if kind else None
        return written, told

    def newest_realtime(self):
        return self.log.rows[-1]["id"] if self.log.rows else 0

    @staticmethod
    def realtime_row(kind, row):
        about = {"register": row["register"], "schema": row["schema"], "uuid": row["objectUuid"], "urn": None,
                 "organisation": row["organisationId"], "owner": row["user"], "actor": row["user"], "extra": []}
        return {"specversion": "1.0", "type": f"or.object.{kind}", "source": "/apps/openregister",
                "subject": row["objectUuid"], "event_id": secrets.token_hex(16), "time": row["created"],
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
            wanted = set(query["_ids"].split(","))
            rows = [thing for thing in rows if thing["id"] in wanted]
        if "_search" in query:
            rows = [thing for thing in rows if query["_search"].lower() in php.encode(thing).lower()]
        ignored = list(self.quirks.ignored_filters)
        for name, wanted in query.items():  # without an underscore it is a filter on a property
            if name.startswith("_") or name in NO_FILTERS:
                continue
            if not any(name.partition(".")[0] in thing for thing in rows):
                ignored.append(name)
            rows = [thing for thing in rows if str(reach(thing, name)) == wanted]
        rows = [] if ignored else ordered(rows, query)
        limit = int(query.get("_limit", 20))
        if self.quirks.list_limit_max:
            limit = min(limit, self.quirks.list_limit_max)
        offset = int(query["_offset"]) if "_offset" in query else (int(query.get("_page", 1)) - 1) * limit
        page = offset // max(limit, 1) + 1
        if 0 < self.quirks.lists_fail_from_page <= page:
            return answer({"message": "Internal Server Error"}, 500)
        results = rows[offset : offset + limit]
        if self.quirks.strip_empty and query.get("_empty") not in ("true", "1"):
            results = [stripped(thing) for thing in results]
        return self.list_answer(results, ignored, {
            "total": len(results) if self.quirks.page_totals else len(rows), "page": page,
            "pages": max(-(-len(rows) // max(limit, 1)), 1), "limit": limit, "offset": offset})

    def list_answer(self, results, ignored, paging):
        about = {"source": "magic_mapper", **({"ignoredFilters": ignored} if ignored else {})}
        headers = None
        if self.quirks.false_gzip and len(results) >= self.quirks.gzip_from:
            headers = {"Content-Encoding": "gzip"}  # and yet plain
        return answer({"results": results, **paging, "@self": about}, headers=headers)

    def show(self, request, register, schema, key):
        thing = self.rows.get(key)
        if thing is None or thing["@self"]["deleted"]:
            return answer({"error": "Not Found"}, 404)
        self.single_reads += 1
        self.note(self.audit_row("read", thing, []))
        return answer(thing)

    def trail(self, request):
        """Always the oldest first, whatever direction is asked for."""
        if not self.quirks.audit_served:
            return nothing_there()
        query, rows = request.query, self.audit.rows
        for name in AUDIT_FILTERS:
            column = re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), name)
            if column in query:
                wanted = set(query[column].split(","))
                rows = [row for row in rows if str(row[name]) in wanted]
        if not self.quirks.sort_ignored and "desc" in str(query.get("_sort[id]", query.get("order"))).lower():
            rows = rows[::-1]
        limit = int(query.get("limit", query.get("_limit", 20)))
        page = int(query["page"]) if "page" in query else int(query["_page"]) if "_page" in query else None
        offset = int(query.get("offset", query.get("_offset", -1)))
        if offset < 0:
            offset = (page - 1) * limit if page else None
        found = rows[offset or 0 : (offset or 0) + limit]
        total = len(found) if self.quirks.page_totals else len(rows)
        paging = {"total": total, "page": page, "pages": -(-total // limit), "limit": limit, "offset": offset}
        text = ",".join(self.text_of(row) for row in found)
        return Response(200, '{"results":[' + text + "]," + php.encode_answer(paging)[1:],
                        "application/json; charset=utf-8")

    def text_of(self, row):
        if row["id"] not in self.texts:
            self.texts[row["id"]] = php.encode_answer(row)
        return self.texts[row["id"]]

    def realtime_events(self, request):
        since, limit = int(request.query.get("since", 0)), min(int(request.query.get("limit", 100)), 1000)
        found = [{**{key: value for key, value in row.items() if key not in ("id", "event_id")},
                  "id": row["event_id"], "_cursor": row["id"]} for row in self.log.rows if row["id"] > since and
                 all(request.query.get(name) in (None, str(row["data"][key])) for name, key in
                     (("register", "register"), ("schema", "schema"), ("objectUuid", "uuid")))]
        cursor = found[:limit][-1]["_cursor"] if found else since
        return self.live({"events": found[:limit], "cursor": cursor, "hasMore": len(found) > limit})

    def live(self, value):
        return answer(value) if self.realtime else nothing_there()


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
    """As the app compares: a property that is null counts as unset, and so as changed, however long it was null."""
    before = before or {}
    changed = {key: {"old": before.get(key), "new": value} for key, value in after.items()
               if before.get(key) is None or before[key] != value}
    return changed | {key: {"old": value, "new": None} for key, value in before.items() if after.get(key) is None
                      and key not in changed}
