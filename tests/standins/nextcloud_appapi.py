"""AppAPI: deploys, starts, enables, disables and removes an ExApp, and is told by it how far it is.

Container and proxy are left out: the test starts the program with the environment that `deploy` gives. With `harp` the
app is reached over its unix socket, as at the end of HaRP's tunnel, and heartbeats and browsers' requests carry the
app's secret too.
"""

import asyncio
import base64
import json
import re
import secrets
import time
import xml.etree.ElementTree as Xml
from urllib.parse import quote

import client
from nextcloud_listeners import ocs
from nextcloud_login import Denied

BASE = re.compile(r"^/ocs/v1\.php/apps/app_api/(ex-app/status|ex-app/state|api/v1/log)$")
INIT_TIMEOUT_S, HEARTBEATS_MAX = 30, 600


class App:
    def __init__(self, info, wanted):
        tree = Xml.parse(info).getroot()
        external = tree.find("external-app")
        self.id, self.version = tree.findtext("id"), tree.findtext("version")
        self.display_name = tree.findtext("name")
        self.declared = [one.findtext("name") for one in external.findall("environment-variables/variable")]
        self.routes = [route_of(one) for one in external.findall("routes/route")]
        self.secret = wanted.get("secret") or secrets.token_urlsafe(96)[:128]
        self.port, self.storage, self.harp = wanted["port"], wanted["storage"], wanted.get("harp", "")
        self.values = wanted.get("values", {})
        self.enabled, self.progress, self.error, self.calls = False, None, "", []

    @property
    def url(self):
        return f"http+unix://{quote(self.harp, safe='')}" if self.harp else f"http://127.0.0.1:{self.port}"

    def environment(self, nextcloud_url, aa_version):
        given = {"AA_VERSION": aa_version, "APP_ID": self.id, "APP_DISPLAY_NAME": self.display_name,
                 "APP_VERSION": self.version, "APP_SECRET": self.secret, "APP_HOST": "127.0.0.1",
                 "APP_PORT": str(self.port), "APP_PERSISTENT_STORAGE": self.storage,
                 "NEXTCLOUD_URL": nextcloud_url + "/index.php", "COMPUTE_DEVICE": "CPU"}
        if self.harp:
            given |= {"HP_SHARED_KEY": "harp-shared-key-of-the-test", "HP_FRP_ADDRESS": "harp", "HP_FRP_PORT": "8782",
                      "HP_EXAPP_SOCK": self.harp}
        return given | {name: value for name, value in self.values.items() if name in self.declared and value}


def route_of(element):
    """A malformed route ends the registration."""
    route = {name: element.findtext(name) for name in ("url", "verb", "access_level")}
    if not all(route.values()) or route["access_level"] not in ("PUBLIC", "USER", "ADMIN"):
        raise ValueError(f"malformed route: {route}")
    for name in ("headers_to_exclude", "bruteforce_protection"):
        json.loads(element.findtext(name) or "[]")
    return route


class AppApi:
    def __init__(self, login, version, url):
        self.login, self.version, self.url = login, version, url
        self.apps, self.log = {}, []

    def serves(self, name):
        """Events for a disabled app are gone. One that a flag has made is always on."""
        return name not in self.apps or self.apps[name].enabled

    # what the app calls

    def handle(self, request):
        caller = self.login.caller(request)
        place = BASE.match(request.path)
        if not place:
            raise Denied(404, 998, "Invalid query")
        if caller.app is None:
            raise Denied(401, 997, "Current user is not logged in", early=False)
        app = self.apps[caller.app]
        what = (request.method, place[1].rpartition("/")[2])
        if not app.enabled and what not in (("GET", "state"), ("PUT", "status")):
            raise Denied(401, 997, "ExApp is disabled", early=False)
        sent = json.loads(request.body) if request.body else {}
        return {("PUT", "status"): self.status, ("GET", "state"): self.state, ("POST", "log"): self.note}[what](
            request, app, sent)

    async def status(self, request, app, sent):
        """At 100 the app is enabled from within this very call."""
        app.progress, app.error = int(sent["progress"]), sent.get("error", "")
        app.calls.append({"progress": app.progress, "error": app.error, "at": time.time()})
        if app.error:
            app.enabled = False
        elif app.progress == 100:
            await self.switch(app, True)
        return ocs(request, [], code=100)

    def state(self, request, app, sent):
        return ocs(request, 1 if app.enabled else 0, code=100)

    def note(self, request, app, sent):
        self.log.append(sent)
        return ocs(request, [], code=100)

    # what an administrator does; each is a control of the stand-in

    def deploy(self, wanted):
        app = App(wanted["info"], wanted)
        self.apps[app.id] = app
        self.login.apps[app.id] = (app.secret, app.url)
        return {"environment": app.environment(self.url(), f"{self.version}.0.0"), "id": app.id}

    async def install(self, wanted):
        app = self.apps[wanted["id"]]
        if not await self.heartbeat(app):
            return self.told(app, "heartbeat failed")
        app.enabled, app.progress = True, 0
        answer = await self.ask(app, "POST", "/init", INIT_TIMEOUT_S)
        if answer.status in (404, 501):
            app.progress = 100
            await self.switch(app, True)
        elif answer.status != 200:
            app.error, app.enabled = f"init: {answer.status} {answer.error}", False
        return self.told(app)

    async def switch(self, app, on):
        app.enabled = True  # while it is asked it may call, also when it is about to be disabled
        if on and not await self.heartbeat(app):
            app.enabled = False
            return "heartbeat failed"
        answer = await self.ask(app, "PUT", f"/enabled?enabled={int(on)}", 60)
        error = json.loads(answer.text).get("error", "") if answer.status == 200 else f"{answer.status} {answer.error}"
        app.calls.append({"enabled": on, "error": error, "at": time.time()})
        app.enabled = on and not error
        return error

    async def enable(self, wanted):
        return self.told(self.apps[wanted["id"]], await self.switch(self.apps[wanted["id"]], True))

    async def disable(self, wanted):
        return self.told(self.apps[wanted["id"]], await self.switch(self.apps[wanted["id"]], False))

    def unregister(self, listeners):
        def work(wanted):
            """What the app has registered goes with it; its own word is not asked for."""
            gone = [key for key, row in listeners.rows.items() if row["appId"] == wanted["id"]]
            for key in gone:
                del listeners.rows[key], listeners.secrets[key]
            self.apps.pop(wanted["id"], None)
            self.login.apps.pop(wanted["id"], None)
            return {"removed": len(gone)}
        return work

    async def browse(self, wanted):
        """A browser's request through the proxy: only what a route allows, and with the app's secret behind HaRP."""
        app = self.apps[wanted["id"]]
        verb = wanted.get("verb", "GET")
        allowed = any(re.match(route["url"], wanted["path"]) and verb in route["verb"].split(",")
                      for route in app.routes)
        if not allowed:
            return {"status": 404, "text": "", "forwarded": False}
        answer = await client.send(verb, app.url + wanted["path"], self.headers(app, wanted.get("user", "")), b"", 30)
        return {"status": answer.status, "text": answer.text, "forwarded": True}

    def show(self, wanted):
        return {name: self.told(app) for name, app in self.apps.items()}

    @staticmethod
    def told(app, error=""):
        return {"enabled": app.enabled, "progress": app.progress, "error": error or app.error, "calls": app.calls}

    async def heartbeat(self, app):
        headers = self.headers(app) if app.harp else []
        for _ in range(HEARTBEATS_MAX):
            answer = await client.send("GET", app.url + "/heartbeat", headers, b"", 3)
            if answer.status == 200 and json.loads(answer.text).get("status") == "ok":
                return True
            await asyncio.sleep(0.05)  # a second there
        return False

    async def ask(self, app, method, path, timeout):
        return await client.send(method, app.url + path, self.headers(app), b"", timeout)

    def headers(self, app, user=""):
        return [("AA-VERSION", f"{self.version}.0.0"), ("EX-APP-ID", app.id), ("EX-APP-VERSION", app.version),
                ("AUTHORIZATION-APP-API", base64.b64encode(f"{user}:{app.secret}".encode()).decode()),
                ("AA-REQUEST-ID", "CLI"), ("Accept-Language", "en")]
