"""Tokens and scopes of the Windmill stand-in."""

import secrets
from http.cookies import CookieError, SimpleCookie


class Token:
    def __init__(self, user, scopes=None, label=None, workspaces=None):
        self.user = user
        self.scopes = None if scopes is None else [rewritten(scope) for scope in scopes]
        self.label = label
        self.workspaces = workspaces  # None: every workspace of the user

    @property
    def created_by(self):
        if not self.label:
            return self.user
        return self.label if self.label.startswith("webhook-") else f"label-{self.label}"

    def allows(self, domain, action, kind=None, path=None):
        if self.scopes is None:
            return True
        return any(scope_allows(scope, domain, action, kind, path) for scope in self.scopes)


def rewritten(scope):
    """`run:script/<path>` is the old spelling of `jobs:run:scripts:<path>`."""
    for old, new in (("run:script/", "jobs:run:scripts:"), ("run:flow/", "jobs:run:flows:")):
        if scope.startswith(old):
            return new + scope[len(old):]
    return scope


def scope_allows(scope, domain, action, kind, path):
    parts = scope.split(":", 3)
    if parts[0] not in (domain, "*"):
        return False
    if len(parts) > 1 and parts[1] not in (action, "*") and (domain, parts[1], action) != ("jobs", "run", "read"):
        return False
    if domain != "jobs" or action == "read":
        return True
    if kind and len(parts) > 2 and parts[2] not in (kind, "*"):
        return False
    if path is None or len(parts) < 4:
        return True
    return any(covers(resource, path) for resource in parts[3].split(","))


def covers(resource, path):
    if resource.endswith("/*"):
        return path.startswith(resource[:-1])
    return resource in ("*", path)


class Tokens:
    def __init__(self, workspaces):
        self.known = {}
        self.workspaces = workspaces

    def add(self, value, token):
        self.known[value] = token

    def create(self, user, wanted):
        value = secrets.token_hex(16)
        workspace = wanted.get("workspace_id")
        self.add(value, Token(user, wanted.get("scopes"), wanted.get("label"), [workspace] if workspace else None))
        return value

    def sent(self, request):
        """What the request offers as a token, or None; a wrong bearer is not rescued by the query."""
        offered = request.header("authorization", "")
        if offered.startswith("Bearer "):
            return offered[len("Bearer "):]
        try:
            cookie = SimpleCookie(request.header("cookie", "")).get("token")
        except CookieError:
            cookie = None
        return cookie.value if cookie else request.query.get("token")

    def member(self, request, workspace):
        """The token if it opens this workspace; None for unknown tokens, other and missing workspaces."""
        token = self.known.get(self.sent(request))
        if token is None or workspace not in self.workspaces:
            return None
        return token if token.workspaces is None or workspace in token.workspaces else None
