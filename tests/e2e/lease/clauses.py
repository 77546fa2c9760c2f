"""The list of clauses, filled by the files that define them."""

ALL = []


def clause(name):
    def add(function):
        ALL.append((name, function))
        return function
    return add
