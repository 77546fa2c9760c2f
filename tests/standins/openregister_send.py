"""How OpenRegister tells the world: webhooks and schema hooks, inside the user's request, one try each."""

import hashlib
import hmac
import time
import uuid

import captures
import client
import php

EVENT_SPACE = "OCA\\OpenRegister\\Event\\"
HOOK_EVENTS = {"ObjectCreatingEvent": "creating", "ObjectUpdatingEvent": "updating", "ObjectDeletingEvent": "deleting",
               "ObjectCreatedEvent": "created", "ObjectUpdatedEvent": "updated", "ObjectDeletedEvent": "deleted"}
RETRY_S = {"exponential": 120, "linear": 300}  # after the first attempt
BIG_BODY_BYTES = 1024 * 1024


class Sender:
    def __init__(self, store, wired, version):
        self.store = store
        self.wired = wired  # "all", or "released": only ObjectCreated reaches webhooks
        self.version = version

    async def dispatch(self, event_class, data):
        """Everything one event sets off, in order."""
        short = event_class.removeprefix(EVENT_SPACE)
        sent = []
        if self.wired == "all" or short == "ObjectCreatedEvent":
            for webhook in list(self.store.webhooks.values()):
                if subscribed(webhook["events"], event_class):
                    result = await self.deliver(webhook, event_class, data)
                    sent += [result] if result else []
        if short in HOOK_EVENTS:
            sent += await self.run_hooks(HOOK_EVENTS[short], data.get("object") or data["newObject"])
        return sent

    # webhooks

    async def deliver(self, webhook, event_class, data):
        """One attempt; None if the webhook is off or its filters do not fit, which leaves no log."""
        if not webhook["enabled"] or not passes(webhook["filters"], data):
            return None
        payload = self.envelope(webhook, event_class, data)
        body = php.encode(payload).encode()
        method, url = webhook["method"].upper(), webhook["url"]
        headers = headers_of(webhook, body)
        if method == "GET":
            url, body = f"{url.partition('?')[0]}?{php.build_query(payload)}", b""
        answer = await client.send(method, url, headers, body, webhook["timeout"])
        success = not answer.error  # any complete answer, 500 included
        self.log(webhook, event_class, answer, success, php.encode(payload))
        return {"kind": "webhook", "id": webhook["id"], "name": webhook["name"], "event": event_class,
                "success": success, "status": answer.status, "answer": answer.text, "error": answer.error or None}

    @staticmethod
    def envelope(webhook, event_class, data):
        now = captures.iso(time.time())
        about = {"id": webhook["uuid"], "name": webhook["name"]}
        settings = webhook["configuration"] if isinstance(webhook["configuration"], dict) else {}
        if settings.get("useCloudEvents") is not True:
            return {"event": event_class, "webhook": about, "data": data, "timestamp": now, "attempt": 1}
        return {"specversion": "1.0", "type": event_class,
                "source": settings.get("cloudEventSource", "/apps/openregister"), "id": str(uuid.uuid4()), "time": now,
                "datacontenttype": "application/json", "subject": settings.get("cloudEventSubject"),
                "dataschema": None, "data": {**data, "webhook": about, "attempt": 1},
                "openregister": {"app": "openregister", "version": "1.0.0"}}

    def log(self, webhook, event_class, answer, success, request_body):
        now = time.time()
        retry = None
        if not success and answer.partial and webhook["maxRetries"] > 1:
            retry = captures.iso(now + RETRY_S.get(webhook["retryPolicy"], 300))
        self.store.logs.append({
            "id": len(self.store.logs) + 1, "webhook": webhook["id"], "eventClass": event_class, "payload": [],
            "url": webhook["url"], "method": webhook["method"], "success": success, "statusCode": answer.status,
            "requestBody": request_body if answer.partial else None,
            "responseBody": answer.text if answer.status else None, "errorMessage": answer.error or None,
            "attempt": 1, "nextRetryAt": retry, "created": captures.iso(now)})
        if success:
            webhook.update(totalDeliveries=webhook["totalDeliveries"] + 1, updated=captures.iso(now),
                           successfulDeliveries=webhook["successfulDeliveries"] + 1,
                           lastTriggeredAt=captures.iso(now), lastSuccessAt=captures.iso(now))

    # schema hooks

    async def run_hooks(self, event, thing):
        register, schema_id = thing["@self"]["register"], thing["@self"]["schema"]
        schema = self.store.schemas.get(int(schema_id or 0))
        hooks = [hook for hook in (schema or {}).get("hooks") or [] if hook.get("event") == event
                 and hook.get("enabled", True) and fits(hook.get("filterCondition"), thing)]
        sent = []
        for hook in sorted(hooks, key=lambda hook: hook.get("order", 0)):
            engine = next((row for row in self.store.engines.values() if row["engineType"] == hook.get("engine")), None)
            if engine:  # the first of its type, even if disabled
                sent.append(await self.run_hook(hook, engine, hook_body(hook, event, thing, register, schema)))
        return sent

    async def run_hook(self, hook, engine, payload):
        auth = engine["authConfig"]
        if engine["engineType"] == "windmill":
            workspace = auth.get("workspace") or "main"
            url = f"{engine['baseUrl']}/api/w/{workspace}/jobs/run_wait_result/f/{hook['workflowId']}"
        else:
            url = f"{engine['baseUrl']}/webhook/{hook['workflowId']}"
        headers = [("Content-Type", "application/json"), ("Accept", "application/json")]
        if auth.get("token"):
            headers.append(("Authorization", f"Bearer {auth['token']}"))
        headers += [("User-Agent", f"Nextcloud-Server-Crawler/{self.version}.0.1"), ("Accept-Encoding", "gzip")]
        answer = await client.send("POST", url, headers, php.encode(payload).encode(), hook.get("timeout", 30))
        return {"kind": "hook", "id": hook.get("id"), "event": payload["type"], "status": answer.status,
                "answer": answer.text, "error": answer.error or None,
                "success": answer.status is not None and answer.status // 100 == 2}


def hook_body(hook, event, thing, register, schema):
    own = {key: value for key, value in thing.items() if key not in ("@self", "id")}
    mode = hook.get("mode", "sync")
    return {"specversion": "1.0", "type": f"nl.openregister.object.{event}",
            "source": f"/apps/openregister/registers/{register}/schemas/{schema['id']}", "id": str(uuid.uuid4()),
            "time": captures.iso(time.time()), "datacontenttype": "application/json",
            "subject": f"object:{thing['id']}", "dataschema": None,
            "data": {"object": {"id": thing["id"], **own}, "schema": schema["slug"] or schema["title"],
                     "register": register, "action": event, "hookMode": mode},
            "openregister": {"app": "openregister", "version": "1.0.0", "hookId": hook.get("id"),
                             "expectResponse": mode == "sync"}}


def fits(condition, thing):
    return all(key in thing and same(thing[key], wanted) for key, wanted in (condition or {}).items())


def subscribed(events, event_class):
    """An empty list means all; entries are fnmatch patterns, in which a backslash quotes."""
    return not events or any(pattern == event_class or php.fnmatch(pattern, event_class) for pattern in events)


def passes(filters, data):
    if not isinstance(filters, dict):
        return True
    for path, wanted in filters.items():
        value = data
        for step in path.split("."):
            value = value.get(step) if isinstance(value, dict) else None
        if isinstance(wanted, list):
            if not any(str(value) == str(one) for one in wanted):
                return False
        elif not same(value, wanted):
            return False
    return True


def same(value, wanted):
    return type(value) is type(wanted) and value == wanted


def headers_of(webhook, body):
    """Built-in headers first; a custom one that differs only in case goes out beside the built-in one."""
    headers = {"Content-Type": "application/json", "User-Agent": "OpenRegister-Webhooks/1.0"}
    headers.update(webhook["headers"] if isinstance(webhook["headers"], dict) else {})
    if webhook["secret"] is not None:
        headers["X-Webhook-Signature"] = hmac.new(webhook["secret"].encode(), body, hashlib.sha256).hexdigest()
    grouped = {}
    for name, value in headers.items():
        grouped.setdefault(name.lower(), (name, []))[1].append(str(value))
    lines = [(name, value) for name, values in grouped.values() for value in values]
    return lines + ([("Expect", "100-Continue")] if len(body) >= BIG_BODY_BYTES else [])
