"""The captured requests under tests/data, and how to make a new change out of one."""

import json
import os
import uuid
from datetime import datetime, timezone

DATA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "data")
CAPTURES = os.path.join(DATA, "openregister", "captures")


def iso(seconds):
    return datetime.fromtimestamp(int(seconds), timezone.utc).isoformat()


def load(name):
    """Event class and inner payload (what stands under `data`) of a captured request."""
    if os.path.basename(name) != name:
        raise ValueError("a capture is named by its file name")
    with open(os.path.join(CAPTURES, name), "rb") as file:
        body = json.loads(file.read().split(b"\r\n\r\n", 1)[1])
    data = body["data"]
    if "specversion" in body:
        data = {key: value for key, value in data.items() if key not in ("webhook", "attempt")}
    return body.get("event") or body["type"], data


def entity(name):
    _, data = load(name)
    return data[data["objectType"]]


def load_payload(name):
    path = os.path.join(DATA, "nextcloud", "payloads", os.path.basename(name.removesuffix(".json")) + ".json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def put_at(value, path, new):
    """Sets a dotted path, making the objects on the way."""
    *way, last = path.split(".")
    for step in way:
        value = value[int(step)] if isinstance(value, list) else value.setdefault(step, {})
    value[int(last) if isinstance(value, list) else last] = new


class Freshener:
    """Turns captured payloads into changes nobody has seen: own identity, later times."""

    def __init__(self, clock):
        self.clock = clock
        self.created = {}  # uuid -> seconds; likewise the others
        self.updated = {}
        self.latest = {}

    def tick(self, identity):
        """Now, but always later than the last time this thing changed: seconds are all there is."""
        now = max(int(self.clock()), self.latest.get(identity, 0) + 1)
        self.latest[identity] = now
        self.created.setdefault(identity, now)
        return now

    def freshen(self, data, wanted_uuid=None):
        if data.get("objectType") == "object":
            return self.fresh_object(data, wanted_uuid)
        thing = data.get(data.get("objectType"))
        if isinstance(thing, dict) and "updated" in thing:
            thing["updated"] = iso(self.tick(thing.get("uuid")))
        return self.stamped(data)

    def fresh_object(self, data, wanted_uuid):
        thing = data.get("object") or data["newObject"]
        new = wanted_uuid or str(uuid.uuid4())
        data = json.loads(json.dumps(data).replace(thing["id"], new))
        now = self.tick(new)
        for key in ("object", "newObject"):
            if key in data:
                self.stamp_object(data[key]["@self"], new, now, data["action"])
        return self.stamped(data)

    def stamp_object(self, self_part, identity, now, action):
        """Only a create or a save moves `updated`: no soft delete, purge or lock does."""
        if self_part["deleted"]:
            self_part["deleted"]["deletedAt"] = iso(now)
        elif action.startswith(("creat", "updat")):
            self.updated[identity] = now
        self_part["created"] = iso(self.created[identity])
        self_part["updated"] = iso(self.updated.get(identity, self.created[identity]))

    def stamped(self, data):
        if "timestamp" in data:
            data["timestamp"] = iso(self.clock())
        return data
