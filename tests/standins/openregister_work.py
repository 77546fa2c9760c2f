"""A day's work in OpenRegister, from a seed: people create, change, delete, purge and restore, and jobs save in bulk.

Each change is made to the objects, told by webhooks and hooks as far as the wiring goes, and written to the logs as far
as those take it. What was done is kept, with what told it, so that a test knows what could have been known."""

import asyncio
import copy
import random
import time
import uuid

import captures
from openregister_objects import changes
from openregister_send import EVENT_SPACE

TEMPLATES = ("ObjectCreatedEvent.standard.http", "ObjectCreatedEvent-zaak.standard.http")
WORDS = ("besluit", "één/twee", "<b>vet</b> & meer", "Łukasz", "山田", "\"aangehaald\"", "back\\slash", "😀")
WEIGHTS = {"create": 30, "update": 45, "soft-delete": 8, "purge": 4, "restore": 3, "bulk": 2, "cascade": 2, "back": 6}
BULK_OBJECTS = (2, 6)
USERS = ("j.devries", "a.bakker", "system")


class Work:
    def __init__(self, objects, sender):
        self.objects, self.sender = objects, sender
        # Own properties stand before `@self` and `id`, however they came to be.
        self.templates = [{"titel": "", **captures.load(name)[1]["object"]} for name in TEMPLATES]
        self.told = []     # every change, in the order made
        self.states = {}   # uuid -> its own earlier titles
        self.latest = {}   # uuid -> second of its last change: seconds are all the times there are
        self.clock = time.time

    async def run(self, seed, count, pause_s=0, kinds=None):
        random_ = random.Random(seed)
        first = len(self.told)
        while len(self.told) - first < count:
            await self.one(random_, kinds)
            await asyncio.sleep(pause_s)
        return {"changes": len(self.told) - first, **self.summary()}

    def summary(self):
        kinds = {}
        for change in self.told:
            kinds[change["kind"]] = kinds.get(change["kind"], 0) + 1
        return {"total": len(self.told), "kinds": kinds, "live": len(self.among(False)),
                "pushed": sum(change["pushed"] for change in self.told)}

    async def one(self, random_, kinds):
        kinds = kinds or list(WEIGHTS)
        kind = random_.choices(kinds, [WEIGHTS[one] for one in kinds])[0]
        work = {"create": self.create, "update": self.update, "soft-delete": self.soft_delete, "purge": self.purge,
                "restore": self.restore, "bulk": self.bulk, "cascade": self.cascade, "back": self.back}[kind]
        subject = self.among(kind in ("purge", "restore"))
        if kind in ("create", "bulk") or not subject:
            work = work if kind == "bulk" else self.create
            await work(random_, None)
        else:
            await work(random_, random_.choice(subject))

    def among(self, deleted):
        return [thing for thing in self.objects.rows.values() if bool(thing["@self"]["deleted"]) == deleted]

    # each kind of change

    async def create(self, random_, _):
        thing = self.new_object(random_)
        await self.made("create", None, thing, random_, "ObjectCreatedEvent", "create")

    async def update(self, random_, thing):
        changed = self.moved(thing)
        self.give_title(changed, f"{random_.choice(WORDS)} {len(self.told)}")
        texts = [name for name in ("notitie", "omschrijving", "categorie") if name in changed]  # unset ones are null
        changed[random_.choice(texts)] = random_.choice((None, *WORDS))
        await self.made("update", thing, changed, random_, "ObjectUpdatedEvent", "update")

    async def back(self, random_, thing):
        """To what it was once: its own content has been seen before."""
        changed = self.moved(thing)
        changed["titel"] = random_.choice(self.states.get(thing["id"], ["eerst"]))
        await self.made("update", thing, changed, random_, "ObjectUpdatedEvent", "update")

    async def soft_delete(self, random_, thing):
        await self.made("delete", thing, self.gone(thing, random_.choice(USERS)), random_, "ObjectUpdatedEvent", "update")

    async def purge(self, random_, thing):
        """Of what was deleted before: told to webhooks and the realtime log, never to the audit trail."""
        self.objects.rows.pop(thing["id"])
        change = await self.push(random_, "ObjectDeletedEvent", "delete", thing)
        row = {**self.objects.audit_row("delete", thing, []), "action": None}
        self.remember("purge", thing, change, self.objects.note(row, "deleted"))

    async def restore(self, random_, thing):
        """Told to nobody."""
        restored = copy.deepcopy(thing)
        restored["@self"]["deleted"] = []
        self.objects.rows[thing["id"]] = restored
        self.remember("restore", restored, False, (None, None))

    async def bulk(self, random_, _):
        """Some are new and some are changed, and nobody is told."""
        for _ in range(random_.randint(*BULK_OBJECTS)):
            known = self.among(False)
            if known and random_.random() < 0.5:
                thing = self.moved(random_.choice(known))
                self.give_title(thing, f"bulk {len(self.told)}")
                kind = "bulk-update"
            else:
                thing, kind = self.new_object(random_), "bulk-create"
            self.objects.rows[thing["id"]] = thing
            self.remember(kind, thing, False, (None, None))

    async def cascade(self, random_, thing):
        """Deleted because something else was: only the audit trail says so."""
        gone = self.gone(thing, "system")
        self.objects.rows[thing["id"]] = gone
        row = {**self.objects.audit_row("referential_integrity.cascade_delete", gone, []),
               "created": captures.iso(self.latest[thing["id"]]), "changed": {"deletedBecause": "cascade", "triggerObject": str(uuid.UUID(int=random_.getrandbits(128)))}}
        self.remember("cascade", gone, False, self.objects.note(row))

    # what they have in common

    def new_object(self, random_):
        thing = copy.deepcopy(random_.choice(self.templates))
        identity = str(uuid.UUID(int=random_.getrandbits(128), version=4))
        now = captures.iso(self.tick(identity))
        thing["id"] = thing["@self"]["id"] = identity
        thing["@self"].update(created=now, updated=now, deleted=[], description=len(self.told) + 1)
        self.give_title(thing, f"{random_.choice(WORDS)} {len(self.told)}")
        return thing

    def tick(self, identity):
        now = max(int(self.clock()), self.latest.get(identity, 0) + 1)
        self.latest[identity] = now
        return now

    def moved(self, thing):
        changed = copy.deepcopy(thing)
        changed["@self"]["updated"] = captures.iso(self.tick(thing["id"]))
        return changed

    def gone(self, thing, user):
        """A soft delete moves no time but its own."""
        gone = copy.deepcopy(thing)
        gone["@self"]["deleted"] = {"deletedBy": user, "deletedAt": captures.iso(self.tick(thing["id"])),
                                    "objectId": thing["id"], "organisation": thing["@self"]["organisation"]}
        return gone

    def give_title(self, thing, title):
        self.states.setdefault(thing["id"], []).append(title)
        thing["titel"] = title
        thing["@self"]["name"] = title

    async def made(self, kind, before, thing, random_, event, action):
        """Stored, told to webhooks and hooks, then written to the logs, as within one request."""
        self.objects.rows[thing["id"]] = thing
        pushed = await self.push(random_, event, action, thing)
        changed = changes(before, thing) if kind != "delete" else []
        row = self.objects.audit_row(kind, thing, changed)
        row["created"] = captures.iso(self.latest[thing["id"]])  # within the same second, as seen from this subject
        row["user"] = row["userName"] = (thing["@self"]["deleted"] or {}).get("deletedBy", row["user"])
        self.remember(kind, thing, pushed, self.objects.note(row))

    async def push(self, random_, event, action, thing):
        """Whether any way of pushing brought it to somebody who took it."""
        lost = self.objects.quirks.push
        chance = random_.random()
        if lost == "off" or lost != "on" and chance < float(lost):
            return False
        data = {"objectType": "object", "action": action, "object": thing, "objectUuid": thing["id"],
                "register": thing["@self"]["register"], "schema": thing["@self"]["schema"],
                "timestamp": captures.iso(self.clock())}
        sent = await self.sender.dispatch(EVENT_SPACE + event, data)
        return any(one["status"] in (200, 202) for one in sent)

    def remember(self, kind, thing, pushed, logged):
        audit, realtime = logged
        self.told.append({"n": len(self.told) + 1, "kind": kind, "uuid": thing["id"], "pushed": bool(pushed),
                          "audit": audit, "realtime": realtime, "object": copy.deepcopy(thing)})

    # for measuring

    def fill(self, wanted):
        """Many objects nobody was told of, then updates of them in the audit trail, at once."""
        random_ = random.Random(wanted.get("seed", 1))
        for _ in range(wanted.get("objects", 0)):
            thing = self.new_object(random_)
            self.objects.rows[thing["id"]] = thing
        names = list(self.objects.rows)
        for at in range(wanted.get("audit_rows", 0)):
            before = self.objects.rows[names[at % len(names)]]
            after = {**before, "titel": f"row {at}", "@self": {**before["@self"], "name": f"row {at}"}}
            after["@self"]["updated"] = captures.iso(self.tick(after["id"]))
            self.objects.rows[after["id"]] = after
            self.objects.note(self.objects.audit_row("update", after, changes(before, after)))
        return {"objects": len(self.objects.rows), "audit": len(self.objects.audit.rows)}
