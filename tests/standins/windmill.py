#!/usr/bin/env python3
"""A stand-in for Windmill: job table, tokens, arguments, real runs of Python scripts, scripted faults.

It answers as the server does, texts included, because the texts decide what a client must do next.
"""

import argparse
import asyncio
import base64
import json
import re
import time
import uuid
from datetime import datetime

import httpd
from faults import Faults, act_out
from httpd import Response, json_response
from windmill_args import BadBody, BrokenHandler, Vault, arguments, body_arguments, unstorable
from windmill_auth import Token, Tokens
from windmill_jobs import Job, JobTable, Journal, Runnable, iso, new_job_id

UI_PAGE = "<!doctype html>\n<html><head><title>Windmill</title></head><body><div id=\"app\"></div></body></html>\n"
RUN = re.compile(r"^/api/w/([^/]+)/jobs/(run|run_wait_result)/(p|h|f|fv)/(.+)$")
LOOKUP = re.compile(r"^/api/w/([^/]+)/jobs_u/(get|completed/get|completed/get_result|completed/get_result_maybe|"
                    r"getupdate|queue/cancel|queue/force_cancel)/([^/]+)$")
ASSET = re.compile(r"^/api/w/([^/]+)/(scripts|flows)/(exists|get)/(?:p/)?(.+)$")
WHOAMI = re.compile(r"^/api/w/([^/]+)/users/whoami$")
UUID = re.compile(r"^(?:[0-9a-f]{32}|(?:urn:uuid:)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"
                  r"\{[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\})$", re.IGNORECASE)
BOOLEANS = ("skip_preprocessor", "invisible_to_owner", "suspended_mode")
KINDS = {"p": "script", "h": "script", "f": "flow", "fv": "flow"}


class Refusal(Exception):
    def __init__(self, status, text=""):
        super().__init__(text)
        self.status = status


def job_id_of(text):
    if not UUID.match(text):
        found = f"expected length 32 for simple format, found {len(text)}"
        raise ValueError(f"UUID parsing failed: invalid length: {found}")
    return str(uuid.UUID(text))


class Windmill:
    def __init__(self, flags):
        self.flags = flags
        self.tokens = Tokens(flags.workspace or ["main"])
        self.tokens.add(flags.token, Token("admin"))
        for text in flags.scoped_token:
            value, _, scopes = text.partition("=")
            self.tokens.add(value, Token("bridge", scopes.split(","), "webhook-" + value[:8]))
        vault = Vault(pairs(flags.variable), {path: json.loads(text) for path, text in pairs(flags.resource).items()})
        self.table = JobTable(vault, Journal(flags.jobs_file), flags.workers)
        self.runnables = {}
        for kind, given in (("script", flags.script), ("flow", flags.flow)):
            for path, file in pairs(given).items():
                self.runnables[kind, path] = Runnable(kind, path, file)
        first = [{"match": "run", "status": 503, "body": "", "times": flags.fail_first}] if flags.fail_first else []
        self.faults = Faults(first)
        self.attempts = {}
        self.counts = {"accepted": 0, "duplicates": 0, "refused": 0}

    def handle(self, request):
        path = request.path
        if path.startswith("/_standin/"):
            return self.control(request)
        if not path.startswith("/api/"):
            return Response(200, UI_PAGE, "text/html")
        run = RUN.match(path)
        if run and request.method in ("POST", "GET"):
            self.note_attempt(request)
        if self.faults.waiting:
            kind = "run" if run else "get" if LOOKUP.match(path) else "other"
            fault = self.faults.take(kind, path)
            if fault:
                return self.faulty(fault, request, bool(run))
        return self.healthy(request)

    def note_attempt(self, request):
        job_id = request.query.get("job_id", "")
        if UUID.match(job_id):
            job_id = str(uuid.UUID(job_id))
            self.attempts[job_id] = self.attempts.get(job_id, 0) + 1

    async def faulty(self, fault, request, is_run):
        if is_run and "status" in fault and fault.get("close") != "after-accept":
            self.counts["refused"] += 1
        return await act_out(fault, request, self.healthy)

    def healthy(self, request):
        try:
            return self.route(request)
        except Refusal as refusal:
            return Response(refusal.status, str(refusal))

    def route(self, request):
        path, run = request.path, RUN.match(request.path)
        if run:
            return self.run_route(request, *run.groups())
        lookup = LOOKUP.match(path)
        if lookup:
            return self.lookup(request, *lookup.groups())
        asset = ASSET.match(path)
        if asset and request.method in ("GET", "HEAD"):
            return self.asset(request, *asset.groups())
        if path == "/api/version":
            return Response(200, "CE v1.743.0")
        if path == "/api/health/status":
            return self.health()
        return self.account(request)

    def health(self):
        alive = self.table.workers
        return json_response({"status": "healthy" if alive else "degraded", "checked_at": None,
                              "database_healthy": True, "workers_alive": alive})

    # accounts

    def authenticated(self, request, workspace):
        if self.tokens.sent(request) is None:
            raise Refusal(401, "Unauthorized")
        token = self.tokens.member(request, workspace)
        if token is None:
            raise Refusal(401, "Not authorized: Unauthorized")
        return token

    def account(self, request):
        whoami = WHOAMI.match(request.path)
        if whoami:
            token = self.authenticated(request, whoami[1])
            demand(token, "users", "read")
            return json_response(user_json(token, whoami[1]))
        if request.path not in ("/api/users/whoami", "/api/workspaces/list", "/api/workspaces/exists",
                                "/api/users/tokens/create"):
            raise Refusal(404)
        token = self.authenticated(request, self.tokens.workspaces[0])
        if request.path == "/api/users/whoami":
            return json_response({"email": f"{token.user}@example.org", "login_type": "password", "super_admin": True,
                                  "verified": True})
        if request.path == "/api/workspaces/list":
            return json_response([{"id": name, "name": name, "owner": "admin"} for name in self.tokens.workspaces])
        wanted = json_object(request)
        if request.path == "/api/workspaces/exists":
            return json_response(wanted.get("id") in self.tokens.workspaces)
        return Response(201, self.tokens.create(token.user, wanted))

    def asset(self, request, workspace, family, verb, path):
        token = self.authenticated(request, workspace)
        demand(token, family, "read")
        runnable = self.runnables.get((family[:-1], path))
        if verb == "exists":
            return json_response(runnable is not None)
        if runnable is None:
            raise Refusal(404, f"Not found: {family[:-1].title()} not found at name {path} ({family}.rs:1201)")
        return json_response(asset_json(runnable, workspace))

    # running

    def run_route(self, request, workspace, way, form, target):
        kind = KINDS[form]
        if request.method == "OPTIONS":
            origin = request.header("webhook-request-origin", "*")
            return Response(200, headers={"Webhook-Allowed-Origin": origin, "Webhook-Allowed-Rate": "*"})
        if request.method == "GET" and (way == "run" or form == "h") or request.method not in ("GET", "POST", "HEAD"):
            raise Refusal(405)
        if request.method == "HEAD":
            self.may_run_some(request, workspace, kind)
            return Response(200)
        try:
            job, delay = self.submit(request, workspace, kind, form, target, way)
        except Refusal as refusal:
            text = str(refusal)
            duplicate = refusal.status == 400 and ("already exists" in text or "duplicate key" in text)
            self.counts["duplicates" if duplicate else "refused"] += 1
            raise
        self.counts["accepted"] += 1
        self.start(job, delay)
        return Response(201, job.id) if way == "run" else self.wait_result(job)

    def may_run_some(self, request, workspace, kind):
        token = self.authenticated(request, workspace)
        if not token.allows("jobs", "run", kind + "s"):
            raise Refusal(403, f"Permission denied: Access denied. Required scope: jobs:run:{kind}s")
        return token

    def submit(self, request, workspace, kind, form, target, way):
        """The checks in the server's order, then a new row; returns the job and how long it is put off."""
        token = self.may_run_some(request, workspace, kind)
        job_id = self.checked_query(request.query)
        args = self.checked_arguments(request, form)
        runnable = self.find(kind, form, target.lstrip("/"))
        if not token.allows("jobs", "run", kind + "s", runnable.path):
            raise Refusal(403, f"Permission denied: Required scope: jobs:run:{kind}s:{runnable.path}")
        if not runnable.readable:
            raise Refusal(401, f"Not authorized: You are not authorized to access this {kind}: {runnable.path} "
                               "(but it exists). Your permissions are: AuthedRef {..}")
        if request.query.get("tag", "python3") not in ["python3", *self.flags.tag]:
            raise Refusal(400, f"Bad request: Only super admins are allowed to use tag {request.query['tag']} here")
        self.check_unused(job_id, token)
        args_json = json.dumps(args, sort_keys=True)
        refused = unstorable(request, args_json)
        if refused:
            raise Refusal(400, refused)
        job = Job(job_id or new_job_id(), runnable, workspace, args_json, token)
        if runnable.has_preprocessor and request.query.get("skip_preprocessor") != "true":
            job.preprocess = self.preprocessor_event(request)
        delay = self.delay(request.query) if way == "run" or kind == "flow" else 0
        job.scheduled_for = job.created + delay
        self.table.accept(job)
        return job, delay

    @staticmethod
    def checked_query(query):
        text = "Failed to deserialize query string: "
        for name in BOOLEANS:
            if query.get(name) not in (None, "true", "false"):
                raise Refusal(400, f"{text}{name}: provided string was not `true` or `false`")
        if "scheduled_in_secs" in query and not query["scheduled_in_secs"].lstrip("-").isdigit():
            raise Refusal(400, f"{text}scheduled_in_secs: invalid digit found in string")
        if "scheduled_for" in query:
            try:
                datetime.fromisoformat(query["scheduled_for"])
            except ValueError:
                raise Refusal(400, f"{text}scheduled_for: input contains invalid characters") from None
        if "job_id" not in query:
            return None
        try:
            return job_id_of(query["job_id"])
        except ValueError as problem:
            raise Refusal(400, f"{text}job_id: {problem}") from None

    @staticmethod
    def checked_arguments(request, form):
        try:
            if request.method == "GET":
                request.body = base64.b64decode(request.query.get("payload", "e30="))
                request.headers["content-type"] = "application/json"
            return arguments(request)
        except BadBody as problem:
            raise Refusal(400, str(problem)) from None
        except BrokenHandler:
            raise Refusal(500, "Internal Server Error") from None

    @staticmethod
    def preprocessor_event(request):
        body = body_arguments(request, False)
        return {"kind": "webhook", "body": body, "raw_string": request.body.decode("utf-8", "replace"),
                "headers": dict(request.headers), "query": dict(request.query)}

    def find(self, kind, form, target):
        if form in ("p", "f"):
            runnable = self.runnables.get((kind, target))
        else:
            key = (lambda one: one.hash) if form == "h" else (lambda one: str(one.version))
            runnable = next((one for one in self.runnables.values() if one.kind == kind and key(one) == target), None)
        if runnable is None or not runnable.available:
            line = 1572 if kind == "script" else 1779
            raise Refusal(404, f"Not found: {kind} not found at name {target} (lib.rs:{line})")
        return runnable

    def check_unused(self, job_id, token):
        job = self.table.jobs.get(job_id)
        if job is None:
            return
        if job.user != token.user and token.user != "admin":
            raise Refusal(400, "SqlErr: error returned from database: duplicate key value violates unique "
                               'constraint "job_pkey" @jobs.rs:6390')
        raise Refusal(400, f"Bad request: Job with id {job_id} already exists")

    @staticmethod
    def delay(query):
        if "scheduled_for" in query:
            return max(datetime.fromisoformat(query["scheduled_for"]).timestamp() - time.time(), 0)
        return max(int(query.get("scheduled_in_secs", 0)), 0)

    def start(self, job, delay):
        if delay > 0:
            asyncio.get_running_loop().call_later(delay, self.table.enqueue, job)
        else:
            self.table.enqueue(job)

    async def wait_result(self, job):
        done, loop = asyncio.Event(), asyncio.get_running_loop()
        self.table.when_done(job, lambda: loop.call_soon_threadsafe(done.set))
        try:
            await asyncio.wait_for(done.wait(), self.flags.wait_timeout)
        except asyncio.TimeoutError:
            self.table.cancel(job, "windmill", f"timeout after {self.flags.wait_timeout}s")
            return Response(500, f"timeout after {self.flags.wait_timeout}s")
        except asyncio.CancelledError:
            self.table.cancel(job, "windmill", "http connection broke")
            raise
        return result_response(job)

    # following

    def lookup(self, request, workspace, what, text):
        cancelling = what.startswith("queue/")
        if request.method != ("POST" if cancelling else "GET"):
            raise Refusal(405)
        try:
            job_id = job_id_of(text)
        except ValueError as problem:
            raise Refusal(400, f"Invalid URL: Cannot parse `id` with value `{text}`: {problem}") from None
        token = self.tokens.member(request, workspace)
        job = self.table.jobs.get(job_id)
        job = job if job and job.workspace == workspace else None
        if cancelling:
            return self.cancel(request, token, job, job_id)
        if job is None and what == "completed/get_result_maybe":
            return json_response({"started": None, "success": None, "completed": False, "result": None})
        if job is None or what.startswith("completed/get") and not what.endswith("maybe") and job.state != "completed":
            noun = "Completed Job" if what.startswith("completed/") else "Job"
            raise Refusal(404, f"Not found: {noun} not found at name {job_id} (jobs.rs:1688)")
        if token is None or not token.allows("jobs", "read"):
            raise Refusal(400, "Bad request: As a non logged in user, you can only see jobs ran by anonymous users")
        if job.user != token.user and token.user != "admin":
            raise Refusal(403, f"Permission denied: You do not have access to run {job_id}. Ask a user who can see "
                               "it to open the run and share a read-only link with you.")
        return json_response(looked_up(request, what, job))

    def cancel(self, request, token, job, job_id):
        reason = json_object(request).get("reason")
        if job is None:
            raise Refusal(404, f"Not found: queued job id {job_id} does not exist")
        if token is None or not token.allows("jobs", "write"):
            raise Refusal(400, "Bad request: You are not logged in and this job was not created by an anonymous "
                               "user like you so you cannot cancel it")
        if self.table.cancel(job, token.user, reason):
            return Response(200, job_id)
        return Response(200, f"queued job id {job_id} is already completed")

    # control

    def control(self, request):
        what, method = request.path.removeprefix("/_standin/"), request.method
        try:
            if (what, method) == ("jobs", "GET"):
                wanted = request.query.get("id")
                return json_response([job.to_report(self.attempts.get(job.id, 1)) for job in self.table.jobs.values()
                                      if wanted in (None, job.id)])
            if (what, method) == ("counts", "GET"):
                return json_response(self.all_counts())
            if what == "faults":
                return self.control_faults(request)
            if (what, method) == ("runnables", "POST"):
                return self.control_runnable(json.loads(request.body))
            if (what, method) == ("reset", "POST"):
                self.table.jobs.clear()
                self.attempts.clear()
                self.faults.waiting.clear()
                self.counts.update(accepted=0, duplicates=0, refused=0)
                return json_response({})
        except (ValueError, KeyError, TypeError) as problem:
            return json_response({"error": str(problem)}, 400)
        return json_response({"error": "no such control"}, 404)

    def all_counts(self):
        states = [(job.state, job.success) for job in list(self.table.jobs.values())]
        return {**self.counts, "finished": sum(state == "completed" for state, _ in states),
                "succeeded": sum(success is True for _, success in states),
                "failed": sum(success is False for _, success in states)}

    def control_faults(self, request):
        if request.method == "DELETE":
            self.faults.waiting.clear()
        elif request.method == "POST":
            self.faults.add(json.loads(request.body))
        return json_response(self.faults.waiting)

    def control_runnable(self, wanted):
        runnable = self.runnables[wanted.get("kind", "script"), wanted["path"]]
        runnable.available = bool(wanted.get("available", runnable.available))
        runnable.readable = bool(wanted.get("readable", runnable.readable))
        return json_response({"path": runnable.path, "available": runnable.available, "readable": runnable.readable})


def demand(token, domain, action):
    if not token.allows(domain, action):
        raise Refusal(403, f"Permission denied: Access denied. Required scope: {domain}:{action}")


def json_object(request):
    try:
        value = json.loads(request.body)
    except ValueError as problem:
        raise Refusal(400, f"Failed to parse the request body as JSON: {problem}") from None
    if not isinstance(value, dict):
        raise Refusal(422, "Failed to deserialize the JSON body into the target type")
    return value


def looked_up(request, what, job):
    done = job.state == "completed"
    if what == "completed/get_result":
        return job.result
    if what == "completed/get_result_maybe":
        started = job.state != "queued" if request.query.get("get_started") == "true" or done else None
        return {"started": started, "success": job.success if done else None, "completed": done, "result": job.result}
    if what == "getupdate":
        return {"running": job.state == "running", "completed": done, "new_logs": "", "log_offset": 0}
    return job.to_api()


def result_response(job):
    if not job.success:
        return json_response(job.result, 422)
    result = job.result
    if not isinstance(result, dict) or not any(f"{mark}_status_code" in result for mark in ("windmill", "wm")):
        return json_response(result)
    status = int(result.get("windmill_status_code", result.get("wm_status_code")))
    if "result" not in result:
        return Response(204 if status == 200 else status)
    return json_response(result["result"], status)


def asset_json(runnable, workspace):
    when = iso(runnable.created)
    common = {"workspace_id": workspace, "path": runnable.path, "summary": "", "description": "",
              "schema": runnable.schema(), "archived": False, "extra_perms": {}, "starred": False}
    if runnable.kind == "flow":
        return {**common, "value": {"modules": []}, "edited_by": "admin", "edited_at": when}
    return {**common, "hash": runnable.hash, "language": "python3", "kind": "script", "content": runnable.source,
            "has_preprocessor": runnable.has_preprocessor, "created_by": "admin", "created_at": when,
            "deleted": False, "is_template": False}


def user_json(token, workspace):
    return {"email": f"{token.user}@example.org", "username": token.user, "is_admin": token.user == "admin",
            "is_super_admin": False, "created_at": "2026-01-01T00:00:00Z", "operator": False, "disabled": False,
            "groups": ["all"], "folders": ["nextcloud"], "folders_owners": [], "folders_read": ["nextcloud"],
            "workspace_id": workspace}


def pairs(texts):
    return {name: value for name, _, value in (text.partition("=") for text in texts)}


def parse_flags(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    httpd.add_listen_flags(parser)
    parser.add_argument("--token", default="wm-token", help="the token of the workspace's admin")
    parser.add_argument("--scoped-token", action="append", default=[], metavar="TOKEN=SCOPE[,SCOPE]")
    parser.add_argument("--workspace", action="append", help="repeatable; main if not given")
    parser.add_argument("--script", action="append", default=[], metavar="PATH=FILE")
    parser.add_argument("--flow", action="append", default=[], metavar="PATH=FILE")
    parser.add_argument("--variable", action="append", default=[], metavar="PATH=TEXT", help="what $var:PATH gives")
    parser.add_argument("--resource", action="append", default=[], metavar="PATH=JSON", help="what $res:PATH gives")
    parser.add_argument("--tag", action="append", default=[], help="a worker tag that runs may ask for")
    parser.add_argument("--jobs-file", help="JSON lines: one when a job is accepted, one when it is finished")
    parser.add_argument("--workers", type=int, default=2, help="worker threads; with 0 jobs stay queued")
    parser.add_argument("--fail-first", type=int, default=0, metavar="N", help="answer 503 to the first N runs")
    parser.add_argument("--wait-timeout", type=float, default=600, help="seconds that run_wait_result waits")
    parser.add_argument("--body-bytes-max", type=int, default=200 * 1024 * 1024)
    return parser.parse_args(arguments)


def main():
    flags = parse_flags()
    server = httpd.Server(Windmill(flags).handle, flags.body_bytes_max)
    asyncio.run(httpd.serve(server, flags, "Windmill"))


if __name__ == "__main__":
    main()
