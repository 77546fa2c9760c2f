"""The script an OpenRegister user writes for Windmill: what changed, in one small dictionary."""

from typing import Any, Dict


def main(body: Dict[str, Any]) -> Dict[str, Any]:
    short = body["event"].rsplit("\\", 1)[-1].removesuffix("Event")
    if short.startswith("Schema"):
        return on_schema(short, body["data"]["schema"])
    if short.startswith("Object"):
        return on_object(short, body["data"])
    return {"action": "ignored", "event": body["event"]}


def on_schema(short: str, schema: Dict[str, Any]) -> Dict[str, Any]:
    return {"action": "schema " + short.removeprefix("Schema").lower(), "name": schema["name"],
            "version": schema["version"]}


def on_object(short: str, data: Dict[str, Any]) -> Dict[str, Any]:
    thing = data["object"]
    done = {"action": short.removeprefix("Object").lower(), "uuid": thing["uuid"],
            "register": thing["register"], "schema": thing["schema"], "title": title_of(thing)}
    if done["action"] == "updated":
        done["changed"] = changes(data.get("oldObject"), data["newObject"])
    return done


def title_of(thing: Dict[str, Any]) -> Any:
    own = thing.get("data", {})
    return own.get("titel") or own.get("title") or own.get("identificatie") or thing.get("name")


def changes(old, new):
    """Names of own properties that differ; None when the earlier state is not known."""
    if old is None:
        return None
    before, after = old.get("data", {}), new.get("data", {})
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
