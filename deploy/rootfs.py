#!/usr/bin/env python3
"""Carries out deploy/Dockerfile without a container engine: each stage is a debootstrap'ed folder, each RUN a chroot.

    deploy/rootfs.py FOLDER              both stages: compiles, packs, installs (minutes)
    deploy/rootfs.py FOLDER --deb FILE   the last stage only, with a package that is there already

Prints what `docker inspect` would as JSON: user, entry point, health check, labels, and the folder of the root.
Needs root, debootstrap and Debian's archive as apt is set up here."""

import argparse
import glob
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def instructions(text):
    """(word, rest) of each line; a line that ends with a backslash goes on."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word and not word.startswith("#"):
            yield word.upper(), rest.strip()


def archive():
    sites = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Codename: bookworm"],
                           capture_output=True, text=True, check=True).stdout.split()
    return sites[0]


class Stage:
    def __init__(self, folder, base):
        self.root = pathlib.Path(folder)
        self.user, self.workdir, self.config = "0:0", "/", {"Labels": {}}
        subprocess.run(["cp", "-a", str(base), str(self.root)], check=True)

    def run(self, command):
        """Network and archive are the host's, as docker's build network would be."""
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        (self.root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        os.chmod(self.root / "usr/sbin/policy-rc.d", 0o755)
        for kind, place in (("proc", "proc"), ("devtmpfs", None)):
            if place:
                subprocess.run(["mount", "-t", kind, kind, str(self.root / place)], check=False, capture_output=True)
        try:
            done = subprocess.run(["chroot", str(self.root), "sh", "-ec", f"cd {shlex.quote(self.workdir)} && {command}"],
                                  env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                                       "LC_ALL": "C"}, stdout=sys.stderr)
            if done.returncode:
                sys.exit(f"failed: RUN {command}")
        finally:
            subprocess.run(["umount", str(self.root / "proc")], check=False, capture_output=True)
            (self.root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)

    def copy(self, source, sources, target):
        place = self.root / os.path.join(self.workdir, target).lstrip("/")
        if target.endswith("/") or target == ".":
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
        for pattern in sources:
            found = glob.glob(str(source / pattern.lstrip("/"))) if pattern != "." else [str(source)]
            if not found:
                sys.exit(f"nothing to copy: {pattern}")
            for one in found:
                if os.path.isdir(one):
                    ignored = shutil.ignore_patterns("build", "out", ".cache", ".git", "__pycache__", "node_modules")
                    shutil.copytree(one, place, ignore=ignored, dirs_exist_ok=True)
                else:
                    shutil.copy2(one, place)


def carry_out(folder, deb):
    base = folder / "base"
    if not base.exists():
        subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(base), archive()], check=True, stdout=sys.stderr)
    stages, current, skipping = {}, None, False
    for word, rest in instructions((ROOT / "deploy/Dockerfile").read_text()):
        if word == "FROM":
            name = rest.partition(" AS ")[2] or "image"
            skipping = bool(deb) and name != "image"
            if not skipping:
                shutil.rmtree(folder / name, ignore_errors=True)
                current = stages[name] = Stage(folder / name, base)
        elif skipping:
            continue
        elif word == "RUN":
            current.run(rest)
        elif word == "COPY":
            step(current, shlex.split(rest), stages, deb)
        elif word == "WORKDIR":
            current.workdir = rest
            (current.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif word == "LABEL":
            current.config["Labels"].update(part.split("=", 1) for part in shlex.split(rest))
        else:
            current.config[word.title()] = json.loads(rest) if rest.startswith("[") else rest
    return current


def step(stage, words, stages, deb):
    source = ROOT
    if words[0].startswith("--from="):
        name = words.pop(0).partition("=")[2]
        if deb:
            return stage.copy(deb.parent, [deb.name], words[-1])
        source = stages[name].root
    return stage.copy(source, words[:-1], words[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--deb", type=pathlib.Path)
    flags = parser.parse_args()
    flags.folder.mkdir(parents=True, exist_ok=True)
    stage = carry_out(flags.folder.resolve(), flags.deb and flags.deb.resolve())
    print(json.dumps({**stage.config, "Root": str(stage.root), "WorkDir": stage.workdir}, indent=1))


if __name__ == "__main__":
    main()
