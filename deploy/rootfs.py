#!/usr/bin/env python3
"""Carries out a Dockerfile without a container engine: each stage is a debootstrap'ed folder, each RUN a chroot.

    deploy/rootfs.py FOLDER              both stages: compiles, packs, installs (minutes)
    deploy/rootfs.py FOLDER --deb FILE   the last stage only, with a package that is there already
    deploy/rootfs.py FOLDER --file deploy/exapp/Dockerfile --base orbridge:0.1.0=ROOT --base golang:1.24-bookworm=ROOT2

Prints what `docker inspect` would as JSON: user, entry point, health check, labels, the size of the root in bytes, the
seconds that each stage took, and the folder of the root. Needs root, debootstrap and Debian's archive as apt is set up
here."""

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
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TRIES = 3  # of what loads packages
# What debian:12-slim leaves out, and tells dpkg to leave out of what is installed later.
SLIM = """path-exclude /usr/share/doc/*
path-exclude /usr/share/info/*
path-exclude /usr/share/lintian/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
path-include /usr/share/doc/*/copyright
"""


def instructions(text):
    """(word, rest) of each line; a line that ends with a backslash goes on."""
    for line in re.sub(r"\\\n", " ", text).splitlines():
        word, _, rest = line.strip().partition(" ")
        if word and not word.startswith("#"):
            yield word.upper(), rest.strip()


def archive():
    """Where apt gets Debian from here; nothing if it says nothing, and then debootstrap knows."""
    sites = subprocess.run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages", "Codename: bookworm"],
                           capture_output=True, text=True, check=True).stdout.split()
    return sites[:1]


def make_base(folder):
    """debian:12-slim, or near it."""
    made = folder.with_name("base.made")
    for _ in range(TRIES):
        shutil.rmtree(made, ignore_errors=True)
        if subprocess.run(["debootstrap", "--variant=minbase", "bookworm", str(made), *archive()], stdout=sys.stderr).returncode == 0:
            break
    else:
        sys.exit("debootstrap failed")
    (made / "etc/dpkg/dpkg.cfg.d/docker").write_text(SLIM)
    for name in ("info", "lintian", "locale", "man"):
        shutil.rmtree(made / "usr/share" / name, ignore_errors=True)
    for file in (made / "usr/share/doc").rglob("*"):
        if file.name != "copyright" and (file.is_file() or file.is_symlink()):
            file.unlink()
    made.rename(folder)


def ignore_by(text):
    """What shutil.copytree is to leave out of the context: names at its top, and names anywhere (`**/name`)."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    anywhere = {line[3:] for line in lines if line.startswith("**/")}
    top = {line for line in lines if "/" not in line}
    assert len(anywhere) + len(top) == len(lines), "more than this understands in .dockerignore"
    return lambda place, names: [one for one in names if one in anywhere or (pathlib.Path(place) == ROOT and one in top)]


def size_of(root):
    """Bytes in its files, each counted once, as an image's layers would hold them uncompressed."""
    done = subprocess.run(["du", "-sx", "--apparent-size", "--block-size=1", str(root)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0])


class Stage:
    def __init__(self, folder, base):
        self.root = pathlib.Path(folder)
        self.workdir, self.config, self.began = "/", {"Labels": {}}, time.monotonic()
        subprocess.run(["cp", "-a", str(base), str(self.root)], check=True)

    def run(self, command):
        """Network and archive are the host's, as docker's build network would be."""
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        (self.root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        os.chmod(self.root / "usr/sbin/policy-rc.d", 0o755)
        patience = self.root / "etc/apt/apt.conf.d/99patience"
        patience.write_text(f'Acquire::Retries "{TRIES}";\n')
        subprocess.run(["mount", "-t", "proc", "proc", str(self.root / "proc")], check=True)
        try:
            done = subprocess.run(["chroot", str(self.root), "sh", "-ec", f"cd {shlex.quote(self.workdir)} && {command}"],
                                  env={"PATH": "/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive",
                                       "HOME": "/root", "LC_ALL": "C"}, stdout=sys.stderr)
            if done.returncode:
                sys.exit(f"failed: RUN {command}")
        finally:
            subprocess.run(["umount", str(self.root / "proc")], check=False, capture_output=True)
            (self.root / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
            patience.unlink()

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
                    shutil.copytree(one, place, ignore=ignore_by((ROOT / ".dockerignore").read_text()), dirs_exist_ok=True)
                else:
                    shutil.copy2(one, place)


def base_of(image, folder, given):
    if image in given:
        return given[image]
    if image != "debian:12-slim":
        sys.exit(f"--base {image}=FOLDER is missing")
    base = folder / "base"
    if not base.exists():
        make_base(base)
    return base


def carry_out(file, folder, deb, given):
    stages, current, skipping = {}, None, False
    for word, rest in instructions(file.read_text()):
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            name = name or "image"
            skipping = bool(deb) and name != "image"
            if not skipping:
                shutil.rmtree(folder / name, ignore_errors=True)
                current = stages[name] = Stage(folder / name, base_of(base, folder, given))
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
    starts = [stage.began for stage in stages.values()] + [time.monotonic()]
    current.config["Seconds"] = {name: round(later - sooner) for name, sooner, later in zip(stages, starts, starts[1:])}
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
    parser.add_argument("--file", type=pathlib.Path, default=ROOT / "deploy/Dockerfile")
    parser.add_argument("--base", action="append", default=[], metavar="IMAGE=FOLDER", help="what stands for an image")
    flags = parser.parse_args()
    flags.folder.mkdir(parents=True, exist_ok=True)
    given = dict(one.split("=", 1) for one in flags.base)
    stage = carry_out(flags.file, flags.folder.resolve(), flags.deb and flags.deb.resolve(), given)
    print(json.dumps({**stage.config, "Size": size_of(stage.root), "Root": str(stage.root), "WorkDir": stage.workdir}, indent=1))


if __name__ == "__main__":
    main()
