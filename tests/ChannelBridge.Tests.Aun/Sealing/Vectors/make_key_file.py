#!/usr/bin/python3
"""Makes key_files.json: private keys protected in the way in which the SDKs do it (file_aes), with a password and with a seed, in hexadecimal and in base64.

    /usr/bin/python3 make_key_file.py > key_files.json
"""
import base64
import hashlib
import hmac
import json
import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

AID = "alice.example.org"


def make(secret, write):
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    master = hashlib.pbkdf2_hmac("sha256", secret, b"aun_file_secret_store_v1", 100_000, 32)
    own = hmac.new(master, f"aun:{AID}:identity/private_key".encode() + b"\x01", hashlib.sha256).digest()
    nonce = secrets.token_bytes(12)
    data = AESGCM(own).encrypt(nonce, pem, None)
    protection = {"scheme": "file_aes", "name": "identity/private_key", "persisted": True, "nonce": write(nonce), "ciphertext": write(data[:-16]), "tag": write(data[-16:])}
    return {"public_key_der_b64": base64.b64encode(public).decode(), "curve": "P-256", "private_key_protection": protection}


def main():
    seed = secrets.token_bytes(32)
    in_base64 = lambda data: base64.b64encode(data).decode()
    print(json.dumps({
        "aid": AID, "password": "größe 7", "seed": base64.b64encode(seed).decode(),
        "withPassword": [make("größe 7".encode(), bytes.hex), make("größe 7".encode(), in_base64)],
        "withSeed": [make(seed, bytes.hex), make(seed, in_base64)],
    }, indent=1))


main()
