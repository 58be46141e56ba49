"""Checks a key and a signature that ChannelBridge.Identity made, and makes one of each by PyNaCl (Debian: python3-nacl).

python3 identity.py < question.json
"""

import base64
import json
import sys

import nacl.exceptions
import nacl.signing


def encode(data):
    return base64.b64encode(data).decode("ascii")


def main():
    question = json.load(sys.stdin)
    message = question["message"].encode("utf-8")
    ours = nacl.signing.SigningKey(base64.b64decode(question["seed"]))
    try:
        nacl.signing.VerifyKey(base64.b64decode(question["publicKey"])).verify(message, base64.b64decode(question["signature"]))
        verified = True
    except nacl.exceptions.BadSignatureError:
        verified = False
    theirs = nacl.signing.SigningKey.generate()
    json.dump(
        {
            "verified": verified,
            "signatureByOurKey": encode(ours.sign(message).signature),
            "seed": encode(bytes(theirs)),
            "publicKey": encode(bytes(theirs.verify_key)),
            "signature": encode(theirs.sign(message).signature),
        },
        sys.stdout,
    )


main()
