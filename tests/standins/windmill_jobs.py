"""Runnables, the job table and the workers of the Windmill stand-in."""

import hashlib
import importlib.util
import inspect
import json
import os
import queue
import threading
import time
import traceback
import uuid
from datetime import datetime, timezone

from windmill_args import REFERENCE, MissingReference, interpolated

TYPES = {dict: "object", str: "string", int: "integer", float: "number", bool: "boolean", list: "array"}


def iso(seconds):
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def new_job_id():
    """Time first, as Windmill's own ids."""
    bits = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    bits = bits & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62
    return str(uuid.UUID(int=bits))


class Runnable:
    """A script, or a flow that consists of one script."""

    def __init__(self, kind, path, file):
        self.kind = kind  # "script" or "flow"
        self.path = path
        self.file = file
        with open(file, encoding="utf-8") as source:
            self.source = source.read()
        digest = hashlib.sha256(f"{path}\0{self.source}".encode()).hexdigest()
        self.hash = digest[:16]
        self.version = int(digest[:6], 16)
        self.available = True
        self.readable = True
        self.module = self.load()
        self.has_preprocessor = hasattr(self.module, "preprocessor")
        self.created = time.time()

    def load(self):
        name = "runnable_" + self.hash
        spec = importlib.util.spec_from_file_location(name, self.file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def schema(self):
        properties, required = {}, []
        for parameter in inspect.signature(self.module.main).parameters.values():
            annotation = getattr(parameter.annotation, "__origin__", parameter.annotation)
            properties[parameter.name] = {"type": TYPES.get(annotation, "object")}
            if parameter.default is parameter.empty:
                required.append(parameter.name)
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
                "properties": properties, "required": required}

    def call(self, name, args):
        function = getattr(self.module, name)
        return function(**self.bound(function, args))

    def bound(self, function, args):
        """Windmill's binding: by name, missing ones are None, undeclared ones are dropped."""
        bound = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                bound.update({key: value for key, value in args.items() if key not in bound})
            elif parameter.kind is parameter.VAR_POSITIONAL:
                continue
            elif parameter.name in args or parameter.default is parameter.empty:
                bound[parameter.name] = args.get(parameter.name)
        return bound


class Job:
    def __init__(self, job_id, runnable, workspace, args_json, token):
        self.id = job_id
        self.runnable = runnable
        self.workspace = workspace
        self.args_json = args_json
        self.user = token.user
        self.created_by = token.created_by
        self.created = time.time()
        self.scheduled_for = self.created
        self.started = self.completed = None
        self.state = "queued"
        self.success = None
        self.result = None
        self.canceled = False
        self.canceled_reason = None
        self.preprocess = None  # the event a preprocessor gets
        self.on_done = []

    def to_api(self):
        common = {"workspace_id": self.workspace, "id": self.id, "created_by": self.created_by,
                  "created_at": iso(self.created), "script_path": self.runnable.path,
                  "script_hash": self.runnable.hash, "args": json.loads(self.args_json),
                  "canceled": self.canceled, "job_kind": self.runnable.kind,
                  "permissioned_as": f"u/{self.user}", "is_flow_step": False, "language": "python3",
                  "email": f"{self.user}@example.org", "visible_to_owner": True, "tag": "python3"}
        if self.canceled:
            common.update(canceled_by=self.user, canceled_reason=self.canceled_reason)
        if self.started:
            common["started_at"] = iso(self.started)
        if self.state == "completed":
            started = self.started or self.completed
            return {"type": "CompletedJob", **common, "success": self.success, "result": self.result,
                    "completed_at": iso(self.completed), "deleted": False, "is_skipped": False,
                    "duration_ms": int((self.completed - started) * 1000)}
        return {"type": "QueuedJob", **common, "running": self.state == "running",
                "scheduled_for": iso(self.scheduled_for)}

    def to_report(self, attempts):
        return {"id": self.id, "path": self.runnable.path, "kind": self.runnable.kind,
                "workspace": self.workspace, "args": json.loads(self.args_json), "state": self.state,
                "success": self.success, "result": self.result, "canceled": self.canceled,
                "created": iso(self.created), "created_by": self.created_by,
                "completed": self.completed and iso(self.completed), "attempts": attempts}


class Journal:
    def __init__(self, path):
        self.out = open(path, "a", encoding="utf-8") if path else None
        self.lock = threading.Lock()

    def write(self, what, job, **more):
        if self.out is None:
            return
        line = json.dumps({"what": what, "at": iso(time.time()), "id": job.id, "path": job.runnable.path, **more})
        with self.lock:
            self.out.write(line + "\n")
            self.out.flush()


class JobTable:
    """Every job ever accepted, keyed by id, over all workspaces. Jobs run on `workers` threads."""

    def __init__(self, vault, journal, workers):
        self.jobs = {}
        self.vault = vault
        self.journal = journal
        self.workers = workers
        self.waiting = queue.SimpleQueue()
        self.lock = threading.Lock()
        for _ in range(workers):
            threading.Thread(target=self.work, daemon=True).start()

    def accept(self, job):
        self.jobs[job.id] = job
        self.journal.write("accepted", job, args=json.loads(job.args_json) if self.journal.out else None)

    def enqueue(self, job):
        self.waiting.put(job)

    def work(self):
        while True:
            self.run(self.waiting.get())

    def run(self, job):
        with self.lock:
            if job.state != "queued":
                return
            job.state, job.started = "running", time.time()
        try:
            success, result = outcome_of(job, self.vault)
        except BaseException as problem:  # SystemExit of a script ends the job, not the worker
            success, result = False, {"error": error_of(problem)}
        self.finish(job, success, result)

    def finish(self, job, success, result):
        with self.lock:
            if job.state == "completed":
                return
            job.success, job.result, job.completed = success, result, time.time()
            job.state = "completed"
            listeners, job.on_done = job.on_done, []
        self.journal.write("finished", job, success=success, result=result)
        for listener in listeners:
            listener()

    def when_done(self, job, listener):
        """Calls listener once, from any thread."""
        with self.lock:
            if job.state != "completed":
                job.on_done.append(listener)
                return
        listener()

    def cancel(self, job, user, reason):
        """False if the job was over already."""
        if job.state == "completed":
            return False
        job.canceled, job.canceled_reason = True, reason
        message = f"Job canceled: {reason} by {user}"
        self.finish(job, False, {"error": {"name": "Canceled", "message": message, "reason": reason, "canceler": user}})
        return True


def outcome_of(job, vault):
    args = json.loads(job.args_json)
    if REFERENCE.search(job.args_json):
        environment = {"$WM_TOKEN": "job-token", "$WM_WORKSPACE": job.workspace, "$WM_JOB_ID": job.id,
                       "$WM_USERNAME": job.user}
        args = interpolated(args, vault, environment)
    if job.preprocess is not None:
        args = job.runnable.call("preprocessor", {**args, "event": job.preprocess})
    function = args.pop("_ENTRYPOINT_OVERRIDE", "main")
    if not isinstance(function, str) or not function.isidentifier():
        raise ValueError(f"{function!r} is not an identifier")
    result = job.runnable.call(function, args)
    json.dumps(result)
    if isinstance(result, dict) and "wm_failure" in result:
        return False, {"error": {"name": "ManualFailure", "message": str(result["wm_failure"])}, **result}
    return True, result


def error_of(problem):
    if isinstance(problem, MissingReference):
        return {"name": "ExecutionErr", "message": str(problem)}
    stack = "".join(traceback.format_tb(problem.__traceback__)[-3:])
    return {"name": type(problem).__name__, "message": str(problem), "stack": stack}
