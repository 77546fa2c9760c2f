"""Scripted faults: what the far end does wrong next, each used up in order."""

import asyncio

from httpd import Response

CLOSES = ("", "before", "after-accept", "mid-answer")


def check_fault(fault):
    """The reason why this is no fault, or an empty string."""
    if not isinstance(fault, dict):
        return "a fault is an object"
    if fault.get("match", "run") not in ("run", "get", "any"):
        return "match is run, get or any"
    if fault.get("close", "") not in CLOSES:
        return f"close is one of {', '.join(CLOSES[1:])}"
    return ""


class Faults:
    def __init__(self, first=()):
        self.waiting = list(first)

    def add(self, faults):
        problems = [reason for reason in map(check_fault, faults) if reason]
        if problems:
            raise ValueError(problems[0])
        self.waiting += [dict(fault) for fault in faults]

    def take(self, kind, path):
        """The fault meant for this request, used up by one; None when all is well."""
        for at, fault in enumerate(self.waiting):
            if fault.get("match", "run") not in (kind, "any") or fault.get("path", "") not in path:
                continue
            fault["times"] = fault.get("times", 1) - 1
            if fault["times"] <= 0:
                del self.waiting[at]
            return fault
        return None


async def act_out(fault, request, work):
    """Answers the request as the fault says; `work` is what a healthy server would do."""
    close = fault.get("close", "")
    if close == "after-accept":
        await settled(work(request))
        await asyncio.sleep(fault.get("hang_s", 0))
        return Response(drop="before")
    await asyncio.sleep(fault.get("hang_s", 0))
    if close == "before":
        return Response(drop="before")
    response = scripted(fault) if "status" in fault else await settled(work(request))
    if close == "mid-answer":
        response.drop = "mid"
    return response


def scripted(fault):
    content_type = fault.get("content_type", "text/plain; charset=utf-8")
    return Response(fault["status"], fault.get("body", ""), content_type, dict(fault.get("headers", {})))


async def settled(result):
    return result if isinstance(result, Response) else await result
