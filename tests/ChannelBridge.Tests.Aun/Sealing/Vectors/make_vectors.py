#!/usr/bin/python3
"""Makes sealing.json: sealed messages as the text of AUN's protocol describes them, by another implementation than ours (Debian's python3-cryptography).

    /usr/bin/python3 make_vectors.py > sealing.json

The keys are made anew with each run; what is compared is what both sides make of them.
"""
import base64
import datetime
import hashlib
import json
import secrets
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.x509.oid import NameOID

SUITE = "P256_HKDF_SHA256_AES_256_GCM"
NOW = 1_790_000_000_000
FIELDS = ["encryption_mode", "ephemeral_public_key", "from", "message_id", "prekey_id", "recipient_cert_fingerprint", "sender_cert_fingerprint", "suite", "timestamp", "to"]


def b64(data):
    return base64.b64encode(data).decode("ascii")


def spki(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def pkcs8(key):
    return b64(key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


def fingerprint(key):
    return "sha256:" + hashlib.sha256(spki(key)).hexdigest()


def certificate(aid, key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, aid)])
    start = datetime.datetime(2026, 1, 1)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(start).not_valid_after(start + datetime.timedelta(days=36500)).sign(key, hashes.SHA256()))
    return b64(made.public_bytes(serialization.Encoding.DER))


def aad_bytes(aad):
    return json.dumps({name: aad.get(name) for name in FIELDS}, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def derive(agreed, info):
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(b"".join(agreed))


def seal(sender_aid, sender, to, recipient, prekey_id, prekey, message_id, timestamp, payload):
    own = ec.generate_private_key(ec.SECP256R1())
    point = own.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    mode = "prekey_ecdh_v2" if prekey else "long_term_key"
    if prekey:
        agreed = [own.exchange(ec.ECDH(), prekey.public_key()), own.exchange(ec.ECDH(), recipient.public_key()),
                  sender.exchange(ec.ECDH(), prekey.public_key()), sender.exchange(ec.ECDH(), recipient.public_key())]
        key = derive(agreed, ("aun-prekey-v2:" + prekey_id).encode("utf-8"))
    else:
        key = derive([own.exchange(ec.ECDH(), recipient.public_key()), sender.exchange(ec.ECDH(), recipient.public_key())], b"aun-longterm-v2")
    aad = {"from": sender_aid, "to": to, "message_id": message_id, "timestamp": timestamp, "encryption_mode": mode, "suite": SUITE, "ephemeral_public_key": b64(point),
           "recipient_cert_fingerprint": fingerprint(recipient), "sender_cert_fingerprint": fingerprint(sender)}
    if prekey:
        aad["prekey_id"] = prekey_id
    nonce = secrets.token_bytes(12)
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    data = AESGCM(key).encrypt(nonce, text, aad_bytes(aad))
    envelope = {"type": "e2ee.encrypted", "version": "1", "encryption_mode": mode, "suite": SUITE, "ephemeral_public_key": b64(point), "nonce": b64(nonce),
                "ciphertext": b64(data[:-16]), "tag": b64(data[-16:]), "aad": aad,
                "sender_signature": b64(sender.sign(data + aad_bytes(aad), ec.ECDSA(hashes.SHA256()))), "sender_cert_fingerprint": fingerprint(sender)}
    if prekey:
        envelope["prekey_id"] = prekey_id
    return {"messageId": message_id, "timestamp": timestamp, "text": text.decode("utf-8"), "aad": aad_bytes(aad).decode("utf-8"), "envelope": envelope}


def main():
    alice, bob, prekey = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    prekey_id = str(uuid.uuid4())
    public_key = b64(spki(prekey))
    ids = ["m-1", str(uuid.uuid4()), "quote\" back\\slash / tab\t line\n \b\f bell\u0007 del\u007f", "größe 消息 \U0001f600 \u2028<&'+>"]
    payloads = [{"type": "text", "text": "Hello"}, {"type": "text", "text": "größe 消息 \U0001f600 \"<&'+>\" \u2028"}, {"type": "text", "text": "x" * 5000}, {}]
    vectors = [seal("alice.example.org", alice, "bob.example.org", bob, prekey_id, key, ids[i], NOW + i, payloads[i]) for key in (prekey, None) for i in range(4)]
    print(json.dumps({
        "madeBy": "make_vectors.py",
        "now": NOW,
        "alice": {"aid": "alice.example.org", "key": pkcs8(alice), "certificate": certificate("alice.example.org", alice), "fingerprint": fingerprint(alice)},
        "bob": {"aid": "bob.example.org", "key": pkcs8(bob), "certificate": certificate("bob.example.org", bob), "fingerprint": fingerprint(bob)},
        "prekey": {
            "id": prekey_id, "key": pkcs8(prekey), "publicKey": public_key, "createdAt": NOW,
            "signature": b64(bob.sign(f"{prekey_id}|{public_key}|{NOW}".encode("utf-8"), ec.ECDSA(hashes.SHA256()))),
            "signatureWithoutTime": b64(bob.sign(f"{prekey_id}|{public_key}".encode("utf-8"), ec.ECDSA(hashes.SHA256()))),
        },
        "messages": vectors,
    }, ensure_ascii=True, indent=1))


main()
