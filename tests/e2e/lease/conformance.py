#!/usr/bin/env python3
"""Plays every clause of the lease API against the real binary, over real sockets, with receivers of its own.

    conformance.py [--empty] [CLAUSE…]        --empty: against a server that has nothing; every clause must fail

The binary is $ORBRIDGE_BINARY. Exit code 0: all passed (with --empty: all failed)."""

import argparse
import http.server
import pathlib
import sys
import threading
import traceback

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[up]) for up in (0, 1)]

import clauses  # noqa: E402
import clauses_callbacks  # noqa: E402,F401
import clauses_requests  # noqa: E402,F401
import harness  # noqa: E402
from world import Server, World  # noqa: E402


class EmptyServer:
    """Answers everything with 200 and an empty object."""

    def __init__(self):
        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b"{}")

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def log(self):
        return ""

    def restart(self, while_down=lambda: None):
        pass


def play(world, name, function):
    try:
        world.alive()
        function(world)
        print(f"pass  {name}", flush=True)
        return True
    except Exception as error:  # whatever goes wrong, the clause does not hold
        at = traceback.extract_tb(error.__traceback__)[-1]
        print(f"FAIL  {name}: {type(error).__name__}: {error} ({at.name}:{at.lineno})", flush=True)
        return False
    finally:
        try:
            world.end_clause()
        except Exception:  # the server may be gone; the next clause tells
            pass


def run(server, wanted):
    world = World(server)
    results = [play(world, name, function) for name, function in clauses.ALL if not wanted or name in wanted]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--empty", action="store_true")
    parser.add_argument("clauses", nargs="*")
    options = parser.parse_args()
    if options.empty:
        return 1 if any(run(EmptyServer(), options.clauses)) else 0
    with harness.World() as folder:
        return 0 if all(run(Server(folder), options.clauses)) else 1


if __name__ == "__main__":
    sys.exit(main())
