"""A mail server (Debian's python3-aiosmtpd) that writes what it takes, a JSON object a line.

    smtp.py PORT OUT plain|starttls|tls [CERTIFICATE KEY] [USER PASSWORD]

It refuses who is called nobody@, has no time for busy@, and takes no mail while OUT.fault holds an
answer. What it takes is read by Python's own email package.
"""

import email
import email.policy
import json
import os
import ssl
import sys
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


class Handler:
    def __init__(self, out):
        self.out = out

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("busy@"):
            return "451 4.7.1 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if os.path.exists(self.out + ".fault"):
            return open(self.out + ".fault").read()
        read = email.message_from_bytes(envelope.content, policy=email.policy.default)
        part = lambda kind: body.get_content() if (body := read.get_body((kind,))) else None
        taken = {
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "secure": session.ssl is not None,
            "authenticated": bool(session.authenticated),
            "headers": [[name.lower(), str(value)] for name, value in read.items()],
            "plain": part("plain"),
            "html": part("html"),
            "ascii": envelope.content.isascii(),
            "longest": max(len(line) for line in envelope.content.split(b"\r\n")),
            "defects": [str(one) for one in read.defects],
        }
        with open(self.out, "a") as out:
            out.write(json.dumps(taken) + "\n")
        return "250 2.0.0 taken"


def main():
    port, out, secrecy, *more = sys.argv[1:]
    settings = {}
    if secrecy != "plain":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(more[0], more[1])
        more = more[2:]
        settings["ssl_context" if secrecy == "tls" else "tls_context"] = context
        if secrecy == "starttls":
            settings["require_starttls"] = True
    if more:
        user, password = more[0].encode(), more[1].encode()

        def authenticator(server, session, envelope, mechanism, given):
            is_right = (given.login, given.password) == (user, password)
            return AuthResult(success=is_right, handled=False)

        settings |= {"authenticator": authenticator, "auth_required": True}
        # A connection that is TLS from its first byte counts as none to this library.
        settings["auth_require_tls"] = secrecy == "starttls"
    controller = Controller(Handler(out), hostname="127.0.0.1", port=int(port), **settings)
    # Its own check of itself speaks plain text.
    controller._trigger_server = lambda: None
    controller.start()
    while True:
        time.sleep(60)


main()
