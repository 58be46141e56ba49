"""A client of the protocol, written from its text alone: registration, login, connection, messages, sealing. Python's cryptography and websockets are all it needs."""
import asyncio
import base64
import hashlib
import json
import os
import secrets
import ssl
import time
import urllib.request
from urllib.parse import urlparse

import websockets
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

END = "-----END CERTIFICATE-----"


def b64(data):
    return base64.b64encode(data).decode()


def compact(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def spki(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def point(key):
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def fingerprint(key):
    return "sha256:" + hashlib.sha256(spki(key)).hexdigest()


def sign(key, data):
    return b64(key.sign(data, ec.ECDSA(hashes.SHA256())))


class RpcError(Exception):
    def __init__(self, error):
        super().__init__(error.get("message"))
        self.code = error.get("code")
        self.data = error.get("data")


class Line:
    """One WebSocket: calls by id, events in a list."""

    def __init__(self, ws, nonce):
        self.ws, self.nonce = ws, nonce
        self.calls, self.events = {}, asyncio.Queue()
        self.reading = None

    @classmethod
    async def open(cls, url, tls=None):
        ws = await websockets.connect(url, ping_interval=None, max_size=None, ssl=tls)
        challenge = json.loads(await asyncio.wait_for(ws.recv(), 20))
        assert challenge["method"] == "challenge" and "id" not in challenge, challenge
        line = cls(ws, challenge["params"]["nonce"])
        line.challenge = challenge["params"]
        line.reading = asyncio.create_task(line.read())
        return line

    async def read(self):
        try:
            async for raw in self.ws:
                frame = json.loads(raw)
                if frame.get("id") in self.calls:
                    self.calls.pop(frame["id"]).set_result(frame)
                else:
                    self.events.put_nowait(frame)
        except websockets.ConnectionClosed:
            pass
        for waiting in self.calls.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("closed"))

    async def call(self, method, params, timeout=60):
        call_id = "rpc-" + secrets.token_hex(4)
        waiting = self.calls[call_id] = asyncio.get_running_loop().create_future()
        await self.ws.send(json.dumps({"jsonrpc": "2.0", "id": call_id, "method": method, "params": params}))
        frame = await asyncio.wait_for(waiting, timeout)
        if "error" in frame:
            raise RpcError(frame["error"])
        return frame["result"]

    async def event(self, name, timeout=60):
        while True:
            frame = await asyncio.wait_for(self.events.get(), timeout)
            if frame.get("method") == "event/" + name:
                return frame["params"]

    async def close(self):
        await self.ws.close()
        await self.reading


class Agent:
    """An identity with its key, its certificate, its device and its prekeys."""

    def __init__(self, gateway, aid, root=None, tls=None):
        self.gateway, self.aid, self.root, self.tls = gateway, aid, root, tls
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.device = "dev-" + secrets.token_hex(6)
        self.prekeys, self.cert, self.line = {}, None, None

    def http(self, path):
        parts = urlparse(self.gateway)
        url = ("https" if parts.scheme == "wss" else "http") + "://" + parts.netloc + path
        with urllib.request.urlopen(url, context=self.tls, timeout=30) as answer:
            return answer.read().decode()

    async def short(self, method, params):
        line = await Line.open(self.gateway, self.tls)
        try:
            return await line.call(method, params)
        finally:
            await line.close()

    async def create(self):
        answer = await self.short("auth.create_aid", {"aid": self.aid, "public_key": b64(spki(self.key.public_key())), "curve": "P-256"})
        self.cert = answer["cert"]
        assert x509.load_pem_x509_certificate(self.cert.encode()).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value == self.aid

    def check_chain(self, pem):
        """The chain of the gateway's own certificate: each link signed by the next, authorities marked as such, the last one the root that is trusted."""
        chain = [x509.load_pem_x509_certificate((END.join([part, ""])).encode()) for part in self.http("/pki/chain").split(END) if part.strip()]
        current = x509.load_pem_x509_certificate(pem.encode())
        result = current
        for authority in chain:
            assert current.issuer == authority.subject
            assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
            authority.public_key().verify(current.signature, current.tbs_certificate_bytes, ec.ECDSA(current.signature_hash_algorithm))
            current = authority
        assert current.issuer == current.subject
        if self.root is not None:
            trusted = x509.load_pem_x509_certificate(self.root.encode())
            assert trusted.public_bytes(serialization.Encoding.DER) == current.public_bytes(serialization.Encoding.DER), "the root isn't the trusted one"
        crl = x509.load_pem_x509_crl(json.loads(self.http("/pki/crl.json"))["crl_pem"].encode())
        assert crl.is_signature_valid(chain[0].public_key())
        return result

    async def login(self):
        client_nonce = b64(os.urandom(12))
        first = await self.short("auth.aid_login1", {"aid": self.aid, "cert": self.cert, "client_nonce": client_nonce})
        gateway = self.check_chain(first["auth_cert"])
        gateway.public_key().verify(base64.b64decode(first["client_nonce_signature"]), client_nonce.encode(), ec.ECDSA(hashes.SHA256()))
        client_time = str(time.time())
        second = await self.short("auth.aid_login2", {
            "aid": self.aid, "request_id": first["request_id"], "nonce": first["nonce"], "client_time": client_time,
            "signature": sign(self.key, f"{first['nonce']}:{client_time}".encode())})
        self.token, self.refresh = second["access_token"], second["refresh_token"]
        return second

    async def connect(self, raw=False, **options):
        self.line = await Line.open(self.gateway, self.tls)
        params = {"nonce": self.line.nonce, "auth": {"method": "kite_token", "token": self.token}, "protocol": {"min": "1.0", "max": "1.0"}}
        if not raw:
            params.update({
                "device": {"id": self.device, "type": "sdk"}, "client": {"slot_id": options.pop("slot", "")},
                "delivery_mode": options.pop("delivery_mode", {"mode": "fanout", "routing": "", "affinity_ttl_ms": 0}),
                "capabilities": {"e2ee": True, "group_e2ee": True}})
            params.update(options)
        hello = await self.line.call("auth.connect", params)
        assert hello["status"] == "ok" and hello["identity"]["aid"] == self.aid, hello
        return hello

    async def publish(self):
        key, prekey_id = ec.generate_private_key(ec.SECP256R1()), secrets.token_hex(16)
        public, created = b64(spki(key.public_key())), int(time.time() * 1000)
        await self.line.call("message.e2ee.put_prekey", {
            "prekey_id": prekey_id, "public_key": public, "signature": sign(self.key, f"{prekey_id}|{public}|{created}".encode()),
            "created_at": created, "device_id": self.device, "cert_fingerprint": fingerprint(self.key.public_key())})
        self.prekeys[prekey_id] = key

    def certificate(self, aid):
        pem = self.http("/pki/cert/" + aid)
        self.check_chain(pem)
        return x509.load_pem_x509_certificate(pem.encode()).public_key()

    def seal(self, to, peer, prekey, message_id, payload):
        prekey_key = serialization.load_der_public_key(base64.b64decode(prekey["public_key"]))
        peer.verify(base64.b64decode(prekey["signature"]), f"{prekey['prekey_id']}|{prekey['public_key']}|{prekey['created_at']}".encode(), ec.ECDSA(hashes.SHA256()))
        once = ec.generate_private_key(ec.SECP256R1())
        shared = b"".join(own.exchange(ec.ECDH(), other) for own, other in ((once, prekey_key), (once, peer), (self.key, prekey_key), (self.key, peer)))
        key = HKDF(hashes.SHA256(), 32, None, ("aun-prekey-v2:" + prekey["prekey_id"]).encode()).derive(shared)
        aad = {
            "from": self.aid, "to": to, "message_id": message_id, "timestamp": int(time.time() * 1000), "encryption_mode": "prekey_ecdh_v2",
            "suite": "P256_HKDF_SHA256_AES_256_GCM", "ephemeral_public_key": b64(point(once.public_key())), "prekey_id": prekey["prekey_id"],
            "recipient_cert_fingerprint": fingerprint(peer), "sender_cert_fingerprint": fingerprint(self.key.public_key())}
        nonce, plain = os.urandom(12), json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()
        sealed = AESGCM(key).encrypt(nonce, plain, compact(aad))
        text, tag = sealed[:-16], sealed[-16:]
        return {
            "type": "e2ee.encrypted", "version": "1", "encryption_mode": "prekey_ecdh_v2", "suite": aad["suite"], "prekey_id": prekey["prekey_id"],
            "ephemeral_public_key": aad["ephemeral_public_key"], "nonce": b64(nonce), "ciphertext": b64(text), "tag": b64(tag),
            "sender_signature": sign(self.key, text + tag + compact(aad)), "sender_cert_fingerprint": aad["sender_cert_fingerprint"], "aad": aad}

    def unseal(self, message):
        envelope, peer = message["payload"], self.certificate(message["from"])
        aad, text, tag = envelope["aad"], base64.b64decode(envelope["ciphertext"]), base64.b64decode(envelope["tag"])
        assert aad["from"] == message["from"] and aad["to"] == self.aid and aad["message_id"] == message["message_id"]
        peer.verify(base64.b64decode(envelope["sender_signature"]), text + tag + compact(aad), ec.ECDSA(hashes.SHA256()))
        prekey = self.prekeys[envelope["prekey_id"]]
        once = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), base64.b64decode(envelope["ephemeral_public_key"]))
        shared = b"".join(own.exchange(ec.ECDH(), other) for own, other in ((prekey, once), (self.key, once), (prekey, peer), (self.key, peer)))
        key = HKDF(hashes.SHA256(), 32, None, ("aun-prekey-v2:" + envelope["prekey_id"]).encode()).derive(shared)
        return json.loads(AESGCM(key).decrypt(base64.b64decode(envelope["nonce"]), text + tag, compact(aad)))

    async def send(self, to, payload, sealed=True, message_id=None):
        message_id = message_id or secrets.token_hex(16)
        if not sealed:
            return await self.line.call("message.send", {"to": to, "payload": payload, "message_id": message_id})
        found = await self.line.call("message.e2ee.get_prekey", {"aid": to})
        assert found["found"], "no registered device prekeys"
        peer = self.certificate(to)
        copies = [{"device_id": one.get("device_id", ""), "envelope": self.seal(to, peer, one, message_id, payload)} for one in found["device_prekeys"]]
        return await self.line.call("message.send", {
            "to": to, "type": "e2ee.multi_device", "encrypted": True, "message_id": message_id, "timestamp": int(time.time() * 1000),
            "payload": {"type": "e2ee.multi_device", "logical_message_id": message_id, "recipient_copies": copies, "self_copies": []}})

    async def receive(self, timeout=60):
        message = await self.line.event("message.received", timeout)
        if message.get("encrypted"):
            assert message.get("device_id", self.device) == self.device, message
            message = dict(message, payload=self.unseal(message))
        await self.line.call("message.ack", {"seq": message["seq"]})
        return message

    async def close(self):
        if self.line:
            await self.line.close()


def trust(root_path):
    """A context that trusts one root, and the root."""
    with open(root_path, encoding="ascii") as file:
        root = file.read()
    return ssl.create_default_context(cadata=root), root


def discover(base, tls=None):
    with urllib.request.urlopen(base + "/.well-known/aun-gateway", context=tls, timeout=30) as answer:
        gateways = json.loads(answer.read())["gateways"]
    return min(gateways, key=lambda one: one["priority"])["url"]
