"""A gateway of the protocol in one file, written from its text alone, with one peer that writes to who connects: sealed, and as plain text. It ends when both were answered."""
import argparse
import asyncio
import base64
import datetime
import http
import json
import secrets
import time

import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aun import Agent, b64, fingerprint, sign, spki

ECDSA = ec.ECDSA(hashes.SHA256())


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Pki:
    """A root, an issuer, and leaves of it."""

    def __init__(self):
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self.make("Root", self.root_key.public_key(), "Root", self.root_key, authority=True)
        self.issuer = self.make("Issuer", self.key.public_key(), "Root", self.root_key, authority=True)

    @staticmethod
    def make(name, public, issuer, key, authority=False):
        names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, issuer)]
        now = datetime.datetime.utcnow()
        builder = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(public).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=30))
        return builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True).sign(key, hashes.SHA256())

    def issue(self, aid, public):
        return pem(self.make(aid, public, "Issuer", self.key))


class Gateway:
    def __init__(self, bot):
        self.pki, self.bot = Pki(), bot
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.own = self.pki.issue("gateway.example.org", self.key.public_key())
        self.certs, self.keys, self.nonces, self.tokens, self.prekeys, self.log = {}, {}, {}, {}, {}, []
        self.socket, self.answers, self.ready = None, asyncio.Queue(), asyncio.Event()

    async def request(self, path, headers):
        if headers.get("Upgrade", "").lower() == "websocket":
            return None
        path = path.split("?")[0]
        if path == "/pki/chain":
            body = pem(self.pki.issuer) + pem(self.pki.root)
        elif path.startswith("/pki/cert/") and path[len("/pki/cert/"):] in self.certs:
            body = self.certs[path[len("/pki/cert/"):]]
        elif path == "/health":
            body = "{}"
        else:
            return http.HTTPStatus.NOT_FOUND, [], b""
        return http.HTTPStatus.OK, [("Content-Type", "text/plain")], body.encode()

    def register(self, aid, public):
        self.keys[aid], self.certs[aid] = public, self.pki.issue(aid, public)

    async def serve(self, ws, _path=None):
        await asyncio.sleep(0.03)
        await ws.send(json.dumps({"jsonrpc": "2.0", "method": "challenge", "params": {"nonce": secrets.token_hex(8), "protocol": {"min": "1.0", "max": "1.0"}}}))
        try:
            async for raw in ws:
                call = json.loads(raw)
                await ws.send(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": self.answer(ws, call["method"], call["params"])}))
        except websockets.ConnectionClosed:
            pass

    def answer(self, ws, method, params):
        if method == "auth.create_aid":
            self.register(params["aid"], serialization.load_der_public_key(base64.b64decode(params["public_key"])))
            return {"aid": params["aid"], "cert": self.certs[params["aid"]], "curve": "P-256"}
        if method == "auth.aid_login1":
            request, nonce = secrets.token_hex(8), secrets.token_hex(8)
            self.nonces[request] = nonce
            return {"request_id": request, "nonce": nonce, "auth_cert": self.own, "client_nonce_signature": sign(self.key, params["client_nonce"].encode())}
        if method == "auth.aid_login2":
            nonce = self.nonces.pop(params["request_id"])
            self.keys[params["aid"]].verify(base64.b64decode(params["signature"]), f"{nonce}:{params['client_time']}".encode(), ECDSA)
            token = secrets.token_hex(16)
            self.tokens[token] = params["aid"]
            return {"access_token": token, "refresh_token": secrets.token_hex(16), "expires_in": 3600}
        if method == "auth.connect":
            assert self.tokens[params["auth"]["token"]] == self.bot
            self.socket = ws
            return {"status": "ok", "identity": {"aid": self.bot}, "connection": {}}
        if method == "message.e2ee.put_prekey":
            key = f"{params['prekey_id']}|{params['public_key']}|{params['created_at']}".encode()
            self.keys[self.bot].verify(base64.b64decode(params["signature"]), key, ECDSA)
            self.prekeys[self.bot] = params
            self.ready.set()
            return {"success": True}
        if method == "message.e2ee.get_prekey":
            known = self.prekeys.get(params["aid"])
            return {"found": True, "device_prekeys": [known]} if known else {"found": False}
        if method == "message.pull":
            page = [one for one in self.log if one["seq"] > params["after_seq"]]
            return {"messages": page, "count": len(page), "latest_seq": len(self.log), "server_ack_seq": 0}
        if method == "message.ack":
            return {"success": True, "ack_seq": params["seq"]}
        if method == "message.send":
            self.answers.put_nowait(params)
            return {"message_id": params["message_id"], "seq": 1, "status": "sent", "timestamp": int(time.time() * 1000)}
        return {"pong": True}

    async def tell(self, sender, payload, message_id, sealed):
        message = {"message_id": message_id, "from": sender, "to": self.bot, "seq": len(self.log) + 1, "timestamp": int(time.time() * 1000), "payload": payload}
        if sealed:
            message.update({"type": "e2ee.encrypted", "encrypted": True})
        self.log.append(message)
        await self.socket.send(json.dumps({"jsonrpc": "2.0", "method": "event/message.received", "params": message}))


class Peer(Agent):
    """An identity that lives at this gateway and needs no connection."""

    def __init__(self, gateway, aid):
        super().__init__("", aid)
        self.here = gateway
        gateway.register(aid, self.key.public_key())
        prekey, prekey_id, created = ec.generate_private_key(ec.SECP256R1()), secrets.token_hex(16), int(time.time() * 1000)
        public = b64(spki(prekey.public_key()))
        self.prekeys[prekey_id] = prekey
        gateway.prekeys[aid] = {
            "device_id": self.device, "prekey_id": prekey_id, "public_key": public, "created_at": created,
            "signature": sign(self.key, f"{prekey_id}|{public}|{created}".encode()), "cert_fingerprint": fingerprint(self.key.public_key())}

    def certificate(self, aid):
        return self.here.keys[aid]


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--root", required=True)
    options.add_argument("--bot", required=True)
    options = options.parse_args()
    gateway = Gateway(options.bot)
    alice = Peer(gateway, "alice.example.org")
    with open(options.root, "w", encoding="ascii") as file:
        file.write(pem(gateway.pki.root))
    async with websockets.serve(gateway.serve, "127.0.0.1", 0, process_request=gateway.request, ping_interval=None, max_size=None) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.wait_for(gateway.ready.wait(), 100)
        for number, sealed in enumerate((True, False)):
            payload, message_id = {"type": "text", "text": f"Grüße {number}"}, f"m{number}"
            sent = alice.seal(options.bot, gateway.keys[options.bot], gateway.prekeys[options.bot], message_id, payload) if sealed else payload
            await gateway.tell(alice.aid, sent, message_id, sealed)
            # An account answers sealed, whatever it was asked, unless its settings say otherwise.
            answer = await asyncio.wait_for(gateway.answers.get(), 100)
            assert answer["to"] == alice.aid and answer["encrypted"], answer
            envelope = answer["payload"] if answer["type"] == "e2ee.encrypted" else answer["payload"]["recipient_copies"][0]["envelope"]
            opened = alice.unseal({"from": options.bot, "message_id": answer["message_id"], "payload": envelope})
            assert opened["text"] == f"echo: Grüße {number}", opened
            print("answered:", "sealed" if sealed else "plain", flush=True)
    print("done", flush=True)


asyncio.run(main())
