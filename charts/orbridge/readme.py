#!/usr/bin/env python3
"""Writes README.md beside it: what a person needs, and a table of values.yaml with its comments."""
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
HEAD = """# orbridge on Kubernetes

```
helm install orbridge charts/orbridge --namespace nextcloud --values my-values.yaml
helm test orbridge --namespace nextcloud
```

`ci/*.values.yaml` are six examples that render and pass the checks; `ci/least.values.yaml` suffices. The configuration is
[docs/configuration.md](../../docs/configuration.md)'s, without `listen` and `store`; each start checks it first (`orbridge check` in
an init container: `kubectl logs -c check` has every mistake).

- **The image** is not public: `docker push` it to a registry of yours and set `image.repository`.
- **One replica.** The store is one SQLite file on a volume, so the pod is replaced by `Recreate` and `replicas` above 1 is refused.
  Several replicas need a store on PostgreSQL, which this version does not have. With `standby: true` in `config` the new pod starts
  while the old one ends, and stands by until it has the store: a shorter gap at each update.
- **Secrets** become files in `/run/secrets/orbridge`, named as their keys: `password_file: /run/secrets/orbridge/<key>`.
- **Quote `'off'` and `'on'`** in the configuration: Helm reads them as false and true, and the check refuses those.
- **The claim stays** after `helm uninstall`: it holds events that were accepted and not yet delivered.
- **/metrics and /api** are never exposed by the Ingress or HTTPRoute unless you list their paths.

## Values

| Key | Type | Default | Description |
|---|---|---|---|
"""


def rows(text):
    """(key, default, comment) of every value; a mapping on lines of its own is opened."""
    stack, comment, found = [], [], []
    for line in text.splitlines():
        said = re.match(r" *# ?-- (.*)|( *# )(.*)", line)
        if said:
            comment = [said[1]] if said[1] else [*comment, said[3]]
            continue
        pair = re.match(r"( *)([A-Za-z]+):(?: (.*))?$", line)
        if not pair:
            comment = []
            continue
        depth = len(pair[1]) // 2
        stack = [*stack[:depth], pair[2]]
        if pair[3] is not None:
            found.append((".".join(stack), pair[3], " ".join(comment)))
        comment = []
    return found


def type_of(default):
    """As helm-docs names it."""
    if default[0] in "[{":
        return "list" if default[0] == "[" else "object"
    if default in ("true", "false"):
        return "bool"
    return "float" if re.fullmatch(r"\d+\.\d+", default) else "int" if default.isdigit() else "string"


def readme():
    table = "".join(f"| `{key}` | {type_of(default)} | `{default}` | {comment.replace('|', '/')} |\n"
                    for key, default, comment in rows((HERE / "values.yaml").read_text()))
    return HEAD + table


if __name__ == "__main__":
    (HERE / "README.md").write_text(readme())
