"""Who is asking: Basic logins, ExApps, and the guard against guessing."""

import base64
import binascii
import hmac

FAILURES_MAX = 10


class Denied(Exception):
    """Refused before any controller saw the request; `early` answers know only ?format=json."""

    def __init__(self, status, code, message, early=True, headers=None):
        super().__init__(message)
        self.status, self.code, self.early, self.headers = status, code, early, headers or {}


class Caller:
    def __init__(self, user=None, is_admin=False, app=None):
        self.user, self.is_admin, self.app = user, is_admin, app

    @property
    def known(self):
        return self.user is not None or self.app is not None


class Login:
    def __init__(self, admins, plain, apps):
        self.users = {**admins, **plain}
        self.admins = set(admins)
        self.apps = apps  # id -> (secret, base url)
        self.failures = []  # (peer, user)
        self.throttle = False
        self.nobody_is_admin = False

    def caller(self, request):
        """Raises Denied for wrong credentials; a caller nobody knows for none at all."""
        app = self.exapp(request)
        if app:
            return app
        offered = request.header("authorization", "")
        if not offered.startswith("Basic "):
            return Caller()
        if self.throttle or sum(peer == request.peer for peer, _ in self.failures) > FAILURES_MAX:
            raise Denied(429, 429, "Reached maximum delay")
        try:
            user, _, password = base64.b64decode(offered[6:]).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        if not hmac.compare_digest(self.users.get(user, "\0").encode(), password.encode()):
            self.failures.append((request.peer, user))
            raise Denied(401, 997, "Unauthorised", headers={"WWW-Authenticate": 'Basic realm="Authorisation Required"'})
        self.failures = [one for one in self.failures if one != (request.peer, user)]
        return Caller(user, user in self.admins and not self.nobody_is_admin)

    def exapp(self, request):
        name, offered = request.header("ex-app-id"), request.header("authorization-app-api")
        if name is None or offered is None:
            return None
        try:
            user, _, secret = base64.b64decode(offered).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = secret = ""
        if name not in self.apps or not hmac.compare_digest(self.apps[name][0].encode(), secret.encode()):
            self.failures.append((request.peer, name))
            raise Denied(401, 997, "Unauthorised")
        return Caller(user or None, not self.nobody_is_admin and (not user or user in self.admins), name)


def csrf_safe(request):
    return request.header("ocs-apirequest") == "true" or request.header("authorization", "").startswith("Bearer ")
