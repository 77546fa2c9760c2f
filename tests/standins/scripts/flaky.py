"""Fails the first time it sees an object. The delivery was a success all the same: the job exists."""

seen = set()


def main(body: dict) -> dict:
    uuid = body["data"]["object"]["uuid"]
    if uuid not in seen:
        seen.add(uuid)
        raise RuntimeError(f"first sight of {uuid}")
    return {"action": "seen again", "uuid": uuid}
