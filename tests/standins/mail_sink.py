"""A mail server that keeps what it is sent: aiosmtpd, with STARTTLS (or TLS from the first byte) and a login.

    mail_sink.py --cert server.pem --key server.key --user U --password P --out seen.jsonl --port-file F [--implicit-tls]

What becomes of a mail is written in the names of its recipients: `refused@…` is answered 550 and `later@…` 451 while the
file given by --hold-back is there; `silent@…` is never answered after the text. Each command and mail is a line in --out.
"""

import argparse
import asyncio
import json
import os
import pathlib
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Sink:
    def __init__(self, options):
        self.options = options

    def keep(self, **line):
        with open(self.options.out, "a", encoding="utf-8") as out:
            out.write(json.dumps(line) + "\n")

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self.keep(did="EHLO", tls=session.ssl is not None or self.options.implicit_tls)
        return responses

    async def handle_NOOP(self, server, session, envelope, arg):
        self.keep(did="NOOP")
        return "250 OK"

    async def handle_QUIT(self, server, session, envelope):
        self.keep(did="QUIT")
        return "221 Bye"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address.startswith("refused@"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later@") and pathlib.Path(self.options.hold_back).exists():
            return "451 4.3.0 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.keep(did="MAIL", sender=envelope.mail_from, to=envelope.rcpt_tos, tls=session.ssl is not None,
                  login=session.auth_data.login.decode() if session.auth_data else None,
                  text=envelope.original_content.decode("ascii"))
        if any(address.startswith("silent@") for address in envelope.rcpt_tos):
            await asyncio.sleep(3600)
        return "250 2.0.0 kept"

    def authenticate(self, server, session, envelope, mechanism, data):
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (
            self.options.user.encode(), self.options.password.encode())
        self.keep(did="AUTH", mechanism=mechanism, right=right)
        # What servers should not do, and a masked reason must hide.
        said = data.password.decode() if isinstance(data, LoginPassword) else ""
        return AuthResult(success=right, handled=right, auth_data=data,
                          message=None if right else f"535 5.7.8 wrong: {said}")


async def main():
    parser = argparse.ArgumentParser()
    for name in ("cert", "key", "user", "password", "out", "port-file"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--hold-back", default="/nonexistent")
    parser.add_argument("--implicit-tls", action="store_true")
    options = parser.parse_args()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.cert, options.key)
    sink = Sink(options)
    implicit = options.implicit_tls

    def protocol():
        return SMTP(sink, hostname="sink.example", auth_required=True, authenticator=sink.authenticate,
                    tls_context=None if implicit else context, require_starttls=not implicit,
                    auth_require_tls=not implicit)

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", options.port,
                                                            ssl=context if implicit else None, reuse_address=True)
    port_file = pathlib.Path(options.port_file)
    port_file.with_suffix(".new").write_text(str(server.sockets[0].getsockname()[1]))
    os.replace(port_file.with_suffix(".new"), port_file)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
