"""What OpenRegister does that nobody would expect, each as a switch; the defaults are those of v1.0.1."""

import bisect

DEFAULTS = {
    "sort_ignored": True,       # the audit trail's direction: always ascending
    "page_totals": False,       # `total` counts the page, as other lists of the app do
    "strip_empty": True,        # lists leave out what is null or empty, unless `_empty=true`
    "false_gzip": True,         # says gzip above ten results, without compressing
    "gzip_from": 11,
    "ignored_filters": [],      # filters an answer admits not to have applied; with any, nothing is found
    "late_every": 0,            # every n-th row of a log commits late …
    "late_by": 3,               # … after so many younger ones
    "audit": True,              # `auditTrailsEnabled`
    "audit_served": True,       # False: 404, as where the app has no such endpoint
    "lists_fail_from_page": 0,  # lists answer 500 from this page on; 0: never
    "list_limit_max": 0,        # lists give at most so many at once; 0: as many as asked for
    "push": "on",               # off, or a share that is lost, e.g. 0.3
    "wired": None,              # all, released: instead of the flag
}


class Quirks:
    def __init__(self):
        self.values = dict(DEFAULTS)

    def __getattr__(self, name):
        try:
            return self.__dict__["values"][name]
        except KeyError:
            raise AttributeError(name) from None

    def update(self, wanted):
        unknown = set(wanted) - set(DEFAULTS)
        if unknown:
            raise ValueError(f"no such quirk: {', '.join(sorted(unknown))}")
        self.values.update(wanted)
        return self.values


def subject_of(row):
    """Whoever changes a thing again has seen the change before committed."""
    return row.get("objectUuid") or row["data"]["uuid"]


class Log:
    """Rows with a growing id, in its order. A row that commits late is seen only after younger ones."""

    def __init__(self, quirks):
        self.quirks = quirks
        self.rows, self.held, self.last = [], [], 0

    def add(self, row):
        """The row's id."""
        self.last += 1
        row = {**row, "id": self.last}
        self.show([(at, one) for at, one in self.held if subject_of(one) == subject_of(row)])
        if self.quirks.late_every and self.last % self.quirks.late_every == 0:
            self.held.append((self.last + self.quirks.late_by, row))
        else:
            self.rows.append(row)
        self.commit(self.last)
        return self.last

    def commit(self, up_to=None):
        """Shows the rows whose transaction is over; all of them without a limit."""
        self.show([(at, row) for at, row in self.held if up_to is None or at <= up_to])

    def show(self, due):
        self.held = [one for one in self.held if one not in due]
        for _, row in due:
            bisect.insort(self.rows, row, key=lambda one: one["id"])

    def expire(self, count):
        """The hourly job: the oldest rows go, and every offset moves."""
        gone = self.rows[:count]
        del self.rows[:count]
        return len(gone)
