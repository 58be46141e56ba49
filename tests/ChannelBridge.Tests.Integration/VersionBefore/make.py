#!/usr/bin/env python3
"""Makes data.tar.gz: the data folder of a host of an earlier version that was killed in the middle of everything.

Run: python3 make.py PATH/OF/THAT/VERSION/channelbridge.dll data.tar.gz

The host is really run: messages that wait, were answered, were given up; replies that wait, were pushed, acked, refused, ran out; a file half way and a
whole one; responses that ended and one that ran. Then it is killed. facts.json says what a test may expect.
"""
import base64
import hashlib
import http.server
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request

DLL, OUT = sys.argv[1], sys.argv[2]
DATA = tempfile.mkdtemp(prefix="cbbefore")
TOKEN = "token-of-the-version-before"
facts = {}


class Model(http.server.BaseHTTPRequestHandler):
    """A model that refuses who says 'refuse', and never answers anybody else."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if b"refuse" in body:
            self.send_response(400)
            self.end_headers()
            self.wfile.write(b'{"error":{"message":"no"}}')
        else:
            time.sleep(600)

    def log_message(self, *_):
        pass


model = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
model.daemon_threads = True
sys.excepthook = lambda *fault: (sys.__excepthook__(*fault), host.kill())
threading.Thread(target=model.serve_forever, daemon=True).start()
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]

settings = {
    "Listen": {"StopTimeout": "20s", "AllowedOrigins": ["https://ops.example.org"]},
    "Agents": {
        "Default": "echo",
        "local": {"Kind": "chat-completions", "Url": "http://127.0.0.1:9/v1", "Model": "m1", "IdleTimeout": "45s", "TurnTimeout": "8m"},
        "openclaw": {"TurnTimeout": "9m"},
    },
    "Access": {"Tokens": {"watcher": {"TokenHash": hashlib.sha256(b"token-of-a-watcher-12345").hexdigest(), "Scopes": ["operator.read"]}}},
    "Store": {"Readers": 2, "Files": {"KeepFiles": "300d"}},
    "Responses": {"Retention": "300d", "ReplayRetention": "300d"},
    "Limits": {"TurnAttempts": 2, "TurnRetryDelay": "1ms", "DeadLetterRetention": "3000d", "ReceiptRetention": "3000d", "StopGrace": "8s"},
    "Channels": {
        "Bncr": {
            "GroupPolicy": "open",
            "DedupeWindow": "366d",
            "Delivery": {"MaxAttempts": 2, "BaseDelay": "1ms", "Permanent": "chat-not-found"},
            "Accounts": {
                "Shop": {"Name": "The shop", "Agent": "local"},
                "Short": {"Delivery": {"TimeToLive": "1ms"}},
            },
        },
        "InstaClaw": {"Enabled": False, "HeartbeatInterval": "30s"},
    },
}
with open(os.path.join(DATA, "appsettings.json"), "w") as file:
    json.dump(settings, file, indent=2)
with open(os.path.join(DATA, "token"), "w") as file:
    file.write(TOKEN + "\n")
os.chmod(os.path.join(DATA, "token"), 0o600)

environment = {**os.environ, "CHANNELBRIDGE__AGENTS__LOCAL__URL": f"http://127.0.0.1:{model.server_port}/v1"}
host = subprocess.Popen(
    ["dotnet", DLL, "serve", "--data", DATA, "--urls", f"http://127.0.0.1:{port}"], stdout=subprocess.PIPE, env=environment, text=True)
for line in host.stdout:
    if line.strip() == "ready":
        break


class Client:
    """One account's connection over the host's socket."""

    def __init__(self, account, **connect):
        self.account, self.next_id, self.answers, self.events = account, 0, {}, queue.Queue()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(os.path.join(DATA, "channelbridge.sock"))
        self.file = self.socket.makefile("rb")
        threading.Thread(target=self.read, daemon=True).start()
        self.call("auth.authenticate", {"token": TOKEN})
        if account:
            self.call("bncr.connect", {"ack": True, **connect})

    def read(self):
        while True:
            length = None
            while (line := self.file.readline()) != b"\r\n":
                if not line:
                    return
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            message = json.loads(self.file.read(length))
            if "method" in message:
                self.events.put((message["method"], message["params"]))
            else:
                self.answers.setdefault(message["id"], queue.Queue()).put(message)

    def call(self, method, params):
        self.next_id += 1
        answer = self.answers.setdefault(self.next_id, queue.Queue())
        who = {"accountId": self.account, "clientId": "maker"} if self.account and method.startswith("bncr.") else {}
        body = json.dumps({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": {**who, **params}}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        message = answer.get(timeout=60)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    def push(self):
        while True:
            name, payload = self.events.get(timeout=60)
            if name.endswith("bncr.push"):
                return payload

    def say(self, user, text, number):
        answer = self.call("bncr.inbound", {"platform": "qq", "userId": user, "msg": text, "msgId": number})
        assert answer["accepted"], answer


operator = Client(None)


def until(check):
    for _ in range(600):
        if check():
            return
        time.sleep(0.1)
    raise RuntimeError("it didn't come to that")


def outbox(account):
    return operator.call("outbox.list", {"accountId": account, "limit": 100})["entries"]


# Replies: acked, refused for good, refused until they are dead, pushed and never acked, waiting for a client.
primary = Client("Primary")
primary.say("1", "acked", "m-acked")
push = primary.push()
primary.call("bncr.ack", {"messageId": push["messageId"], "ok": True})
facts["acked"] = push["messageId"]
primary.say("2", "gone", "m-gone")
push = primary.push()
primary.call("bncr.ack", {"messageId": push["messageId"], "ok": False, "error": "chat-not-found"})
facts["refused"] = push["messageId"]
primary.say("3", "never", "m-never")
for _ in range(2):
    push = primary.push()
    primary.call("bncr.ack", {"messageId": push["messageId"], "ok": False, "error": "try later"})
facts["exhausted"] = push["messageId"]
primary.say("4", "pushed", "m-pushed")
facts["pushed"] = primary.push()["messageId"]
away = Client("Away")
away.call("bncr.inbound", {"platform": "qq", "userId": "5", "msg": "nobody is there", "msgId": "m-away"})
away.push()
away.socket.close()

# Inbox: a turn that runs, a message behind it, one that was given up.
shop = Client("Shop")
shop.say("6", "please refuse this", "m-refused")
until(lambda: operator.call("deadLetters.list", {"limit": 10})["entries"])
shop.say("7", "the first", "m-first")
shop.say("7", "the second", "m-second")
shop.say("8", "the third", "m-third")

# A reply that outlived its time.
short = Client("Short")
short.say("9", "too late", "m-late")

# Files: one whole, one half way.
content = bytes(range(256)) * 3
whole = {"platform": "qq", "userId": "1", "fileName": "whole.bin", "mimeType": "application/octet-stream", "fileSize": len(content), "chunkSize": 256,
         "totalChunks": 3, "fileSha256": hashlib.sha256(content).hexdigest(), "sessionKey": "agent:main:bncr:direct:" + b"qq:0:1".hex()}


def chunk(transfer, index):
    part = content[index * 256:(index + 1) * 256]
    primary.call("bncr.file.chunk", {"transferId": transfer, "chunkIndex": index, "offset": index * 256, "size": 256,
                                     "chunkSha256": hashlib.sha256(part).hexdigest(), "base64": base64.b64encode(part).decode()})


for transfer, chunks in (("t-whole", 3), ("t-half", 2)):
    primary.call("bncr.file.init", {**{key: whole[key] for key in whole if key not in ("platform", "userId")}, "transferId": transfer})
    for index in range(chunks):
        chunk(transfer, index)
facts["path"] = primary.call("bncr.file.complete", {"transferId": "t-whole"}).get("path")


# Responses: one that ended, one that still ran.
def respond(body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/responses", json.dumps(body).encode(), {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))


facts["response"] = respond({"model": "echo", "input": "remember me", "store": True})["id"]
facts["running"] = respond({"model": "local", "input": "never", "store": True, "background": True})["id"]

# Whatever a client that is away is owed.
until(lambda: operator.call("diagnostics", {}) is not None)
time.sleep(2)
facts["outbox"] = {account: [entry.get("state") for entry in outbox(account)] for account in ("Primary", "Away", "Short")}
host.kill()
host.wait()
with open(os.path.join(DATA, "facts.json"), "w") as file:
    json.dump(facts, file, indent=2)
for name in ("channelbridge.sock", "host.json"):
    if os.path.exists(os.path.join(DATA, name)):
        os.remove(os.path.join(DATA, name))
with tarfile.open(OUT, "w:gz") as archive:
    archive.add(DATA, arcname=".")
print(json.dumps(facts, indent=2))
for folder, _, names in os.walk(DATA):
    for name in names:
        print(os.path.getsize(os.path.join(folder, name)), os.path.join(folder, name))
shutil.rmtree(DATA)
