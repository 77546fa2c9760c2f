#!/usr/bin/env python3
"""A stand-in for a Nextcloud with OpenRegister: registrations come in, captured events go out.

Sending happens only when told through /_standin/; the body of what is sent is as PHP writes it.
"""

import argparse
import asyncio
import collections
import json
import time
import uuid

import captures
import httpd
import openregister_api
from httpd import Response, json_response
from nextcloud_appapi import AppApi
from nextcloud_listeners import Listeners, ocs
from nextcloud_login import Denied, Login
from openregister_objects import Objects
from openregister_send import Sender
from openregister_work import Work

# One day of an office: what is sent, and which thing it is about (captures of one thing share an identity).
DAY = [
    ("SchemaCreatedEvent.standard.http", None), ("RegisterCreatedEvent.standard.http", None),
    ("ObjectCreatedEvent.standard.http", "publication"), ("ObjectUpdatedEvent-pub.standard.http", "publication"),
    ("ObjectCreatedEvent-zaak.standard.http", "case"), ("ObjectUpdatedEvent.standard.http", "case"),
    ("SchemaUpdatedEvent.standard.http", None), ("ObjectUpdatedEvent-softdelete.standard.http", "publication"),
    ("ObjectCreatedEvent-emoji.standard.http", "emoji"), ("ObjectDeletedEvent-zaak.standard.http", "case"),
]
SCENARIOS = {"day": DAY}


class Nextcloud:
    def __init__(self, flags):
        version = flags.nextcloud_version
        self.mode = {"maintenance": False, "app_disabled": False, "throttle": False, "admin_only": False}
        admins = dict(text.partition(":")[::2] for text in flags.user or ["admin:apppass"])
        plain = dict(text.partition(":")[::2] for text in flags.plain_user)
        apps = {}
        for text in flags.exapp:
            name, _, rest = text.partition("=")
            apps[name] = tuple(rest.partition("@")[::2])
        self.login = Login(admins, plain, apps)
        self.listeners = Listeners(self.login, version, flags.or_classes_compatible)
        self.appapi = AppApi(self.login, version, lambda: self.url)
        self.listeners.app_is_there = lambda app: app in self.login.apps and self.appapi.serves(app)
        self.store = openregister_api.Store()
        self.sender = Sender(self.store, flags.wired, version)
        self.objects = Objects(self.store, flags.realtime)
        self.api = openregister_api.Api(self.store, self.login, self.sender, self.objects)
        self.freshener = captures.Freshener(time.time)
        self.work = Work(self.objects, self.sender)
        self.controls = {"GET state": self.state, "POST mode": self.set_mode, "POST replay": self.replay,
                         "POST fire-listener": self.fire_listener, "POST scenario": self.scenario,
                         "GET requests": self.requests, "POST reset": self.reset,
                         "POST work": self.do_work, "GET changes": lambda _: self.work.told,
                         "GET work": lambda _: self.work.summary(), "GET reads": self.reads,
                         "POST fill": self.work.fill, "POST quirks": self.set_quirks, "POST expire": self.expire,
                         "POST commit": self.commit, "POST hold": self.hold,
                         "GET held": lambda _: {"waiting": self.waiting}, "GET exapps": self.appapi.show,
                         "POST exapp-deploy": self.appapi.deploy, "POST exapp-install": self.appapi.install,
                         "POST exapp-enable": self.appapi.enable, "POST exapp-disable": self.appapi.disable,
                         "POST exapp-unregister": self.appapi.unregister(self.listeners),
                         "POST exapp-browse": self.appapi.browse}
        self.answer_bytes = 0  # of bodies that OpenRegister answered
        self.waiting = 0  # answers that are held
        self.held = None  # (part of the target, event, stale): answers that wait
        self.url = ""  # known once it listens
        self.seen = collections.deque(maxlen=10_000)

    def handle(self, request):
        if request.path.startswith("/_standin/"):
            return self.control(request)
        self.seen.append({"method": request.method, "target": request.target, "at": time.time()})
        if self.held and self.held[0] in request.target:
            return self.after(*self.held[1:], request)
        return self.answered(request)

    async def after(self, event, stale, request):
        if not stale:
            await self.released(event)
        result = self.answered(request)
        result = await result if asyncio.iscoroutine(result) else result
        await self.released(event)
        return result

    async def released(self, event):
        self.waiting += 1
        await event.wait()
        self.waiting -= 1

    def answered(self, request):
        try:
            return self.guard(request)
        except Denied as denial:
            return self.denied(request, denial)

    def guard(self, request):
        if self.mode["maintenance"]:
            headers = {"X-Nextcloud-Maintenance-Mode": "1"}
            raise Denied(503, 503, "Service unavailable", headers=headers)
        if request.path.startswith("/ocs/v1.php/apps/app_api/"):
            return self.within(request, self.appapi.handle(request))
        if request.path.startswith("/ocs/"):
            return self.listeners.handle(request, self.disabled("webhook_listeners"))
        if request.path.startswith(openregister_api.BASE):
            return self.within(request, self.api.handle(request, self.disabled("openregister")))
        if request.path == "/status.php":
            return json_response({"installed": True, "maintenance": False, "needsDbUpgrade": False,
                                  "version": f"{self.listeners.version}.0.1.0", "productname": "Nextcloud"})
        raise Denied(404, 404, "")

    def within(self, request, result):
        return self.weighed(result) if isinstance(result, Response) else self.later(request, result)

    async def later(self, request, result):
        try:
            return self.weighed(await result)
        except Denied as denial:
            return self.denied(request, denial)

    def weighed(self, response):
        self.answer_bytes += len(response.body)
        return response

    def disabled(self, app):
        return self.mode["app_disabled"] in (True, app)

    def denied(self, request, denial):
        if denial.status == 405:
            return Response(405)
        if request.path.startswith("/ocs/"):
            return ocs(request, [], denial.status, denial.code, str(denial), denial.early, denial.headers)
        if denial.status in (401, 403):
            return json_response({"message": str(denial)}, denial.status, denial.headers)
        page = f"<!DOCTYPE html>\n<html><head><title>Nextcloud</title></head><body>{denial.status}</body></html>\n"
        return Response(denial.status, page, "text/html; charset=UTF-8", denial.headers)

    # control

    def control(self, request):
        work = self.controls.get(f"{request.method} {request.path.removeprefix('/_standin/')}")
        if work is None:
            return json_response({"error": "no such control"}, 404)
        try:
            result = work(json.loads(request.body) if request.body else {})
        except (ValueError, KeyError, TypeError, OSError) as problem:
            return refused(problem)
        return self.sending(result) if asyncio.iscoroutine(result) else json_response(result)

    @staticmethod
    async def sending(result):
        try:
            return json_response(await result)
        except (ValueError, KeyError, TypeError, OSError) as problem:
            return refused(problem)

    def state(self, _):
        return {"mode": self.mode, "listeners": list(self.listeners.rows.values()),
                "login_failures": len(self.login.failures), "objects": list(self.objects.rows.values()),
                "audit": self.objects.audit.rows, **self.store.dump()}

    def requests(self, _):
        return list(self.seen)

    def reset(self, _):
        self.listeners.rows.clear()
        self.listeners.secrets.clear()
        self.listeners.last_id = 0
        self.store.__init__()
        self.objects.__init__(self.store, self.objects.realtime)
        self.work.__init__(self.objects, self.sender)
        self.login.failures.clear()
        self.seen.clear()
        return {}

    async def do_work(self, wanted):
        """Changes that people make, told as this OpenRegister tells them; returns when all are made. `clock`: the second
        in which it is now, for them and those that follow."""
        if "clock" in wanted:
            self.work.clock = lambda: wanted["clock"]
        return await self.work.run(wanted.get("seed", 1), wanted.get("changes", 1000), wanted.get("pause_s", 0),
                                   wanted.get("kinds"))

    def reads(self, _):
        return {"single_reads": self.objects.single_reads, "answer_bytes": self.answer_bytes}

    def set_quirks(self, wanted):
        values = self.objects.quirks.update(wanted)
        if values["wired"]:
            self.sender.wired = values["wired"]
        return values

    def expire(self, wanted):
        """The hourly job, made to find so many rows too old."""
        log = self.objects.log if wanted.get("log") == "realtime" else self.objects.audit
        return {"gone": log.expire(wanted.get("rows", len(log.rows)))}

    def commit(self, _):
        self.objects.audit.commit()
        self.objects.log.commit()
        return {}

    def hold(self, wanted):
        """Answers to requests whose target has this part wait until `{"part":null}` lets them go; `stale` ones tell
        how it was when they were asked for."""
        if self.held:
            self.held[1].set()
        self.held = (wanted["part"], asyncio.Event(), wanted.get("stale", False)) if wanted.get("part") else None
        return {}

    def set_mode(self, wanted):
        unknown = set(wanted) - set(self.mode)
        if unknown:
            raise ValueError(f"no such mode: {', '.join(sorted(unknown))}")
        self.mode.update(wanted)
        self.login.throttle = bool(self.mode["throttle"])
        self.login.nobody_is_admin = bool(self.mode["admin_only"])
        if wanted.get("throttle") is False:
            self.login.failures.clear()
        return self.mode

    async def replay(self, wanted):
        event_class, data = captures.load(wanted["capture"])
        if wanted.get("fresh"):
            data = self.freshener.freshen(data, wanted.get("uuid"))
        for path, value in wanted.get("set", {}).items():
            captures.put_at(data, path, value)
        identity = next((data[key]["id"] for key in ("object", "newObject") if key in data), None)
        self.remember(event_class, data)
        row = self.objects.keep(event_class, data)
        sent = [] if wanted.get("silent") else await self.sender.dispatch(event_class, data)
        self.objects.note(row if wanted.get("logged") or not wanted.get("silent") else None)
        return {"capture": wanted["capture"], "event": event_class, "uuid": identity, "sent": sent}

    def remember(self, event_class, data):
        """A schema or register that is said to have changed has changed; its hooks stay as they were set."""
        family = {"schema": self.store.schemas, "register": self.store.registers}.get(data.get("objectType"))
        if family is None:
            return
        thing = data[data["objectType"]]
        if event_class.endswith("DeletedEvent"):
            family.pop(thing["id"], None)
            return
        kept = {"hooks": family[thing["id"]]["hooks"]} if "hooks" in family.get(thing["id"], {}) else {}
        family[thing["id"]] = {**thing, **kept}

    async def fire_listener(self, wanted):
        if "capture" in wanted:  # what an OpenRegister with compatible classes would hand over
            event_class, data = captures.load(wanted["capture"])
            data = self.freshener.freshen(data, wanted.get("uuid")) if wanted.get("fresh", True) else data
            user = {"uid": "j.devries", "displayName": "J. de Vries"}
            payload = {"event": {**data, "class": event_class}, "user": user}
        else:
            payload = captures.load_payload(wanted["payload"])
        if wanted.get("fresh", True):
            payload["time"] = int(time.time())
        for path, value in wanted.get("set", {}).items():
            captures.put_at(payload, path, value)
        return {"event": payload["event"]["class"], "sent": await self.listeners.fire(payload)}

    async def scenario(self, wanted):
        names, results = {}, []
        for capture, thing in SCENARIOS[wanted.get("name", "day")]:
            identity = names.setdefault(thing, str(uuid.uuid4())) if thing else None
            results.append(await self.replay({"capture": capture, "fresh": True, "uuid": identity}))
            await asyncio.sleep(wanted.get("pause_s", 0))
        return results


def refused(problem):
    return json_response({"error": f"{type(problem).__name__}: {problem}"}, 400)


def parse_flags(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    httpd.add_listen_flags(parser)
    parser.add_argument("--user", action="append", metavar="NAME:PASSWORD", help="an admin; admin:apppass if not given")
    parser.add_argument("--plain-user", action="append", default=[], metavar="NAME:PASSWORD", help="not an admin")
    parser.add_argument("--exapp", action="append", default=[], metavar="ID=SECRET@URL", help="a registered ExApp")
    parser.add_argument("--nextcloud-version", type=int, default=32, help="33 and later show tokenNeeded")
    parser.add_argument("--or-classes-compatible", action="store_true",
                        help="let webhook_listeners take OpenRegister's event classes, as no release does")
    parser.add_argument("--wired", choices=("all", "released"), default="all",
                        help="released: only ObjectCreated reaches OpenRegister's webhooks")
    parser.add_argument("--realtime", action="store_true", help="serve the development branch's realtime log")
    return parser.parse_args(arguments)


def main():
    flags = parse_flags()
    nextcloud = Nextcloud(flags)

    def listening(port):
        nextcloud.url = f"http://{flags.host}:{port}"

    asyncio.run(httpd.serve(httpd.Server(nextcloud.handle), flags, "Nextcloud", listening))


if __name__ == "__main__":
    main()
