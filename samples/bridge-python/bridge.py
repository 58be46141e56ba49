#!/usr/bin/env python3
"""A chat bridge in Python's standard library. The "platform" is this terminal: each line is a message, each answer is printed.

Run: python3 samples/bridge-python/bridge.py ~/.channelbridge/channelbridge.sock

It speaks JSON-RPC 2.0 with Content-Length framing on the host's Unix socket. Only the host's own user can open that socket, so no token is needed.
"""
import getpass
import json
import os
import queue
import random
import socket
import sys
import threading
import time
import uuid

PATH = sys.argv[1] if len(sys.argv) > 1 else os.path.expanduser("~/.channelbridge/channelbridge.sock")
ACCOUNT = {"accountId": "Python", "clientId": "bridge-python"}


class Refused(Exception):
    """The host answered with an error."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.retryable = (error.get("data") or {}).get("retryable", False)


class Connection:
    """One connection: calls with answers, and events."""

    def __init__(self, on_event):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(PATH)
        self.file = self.socket.makefile("rb")
        self.lock = threading.Lock()
        self.waiting = {}
        self.next_id = 0
        self.closed = False
        threading.Thread(target=self._read, args=(on_event,), daemon=True).start()

    def call(self, method, params):
        with self.lock:
            if self.closed:
                raise ConnectionError("the connection is lost")
            self.next_id += 1
            number, answer = self.next_id, queue.Queue()
            self.waiting[number] = answer
            body = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
            self.socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        message = answer.get(timeout=30)
        if message is None:
            raise ConnectionError("the connection is lost")
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]

    def _read(self, on_event):
        try:
            while True:
                length = None
                while (line := self.file.readline()) != b"\r\n":
                    if not line:
                        return
                    name, _, value = line.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                message = json.loads(self.file.read(length))
                if "method" not in message:
                    self.waiting.pop(message["id"], queue.Queue()).put(message)
                elif "id" not in message:
                    on_event(message["method"], message["params"])
        except (OSError, ValueError):
            pass
        finally:
            with self.lock:
                self.closed = True
                for answer in self.waiting.values():
                    answer.put(None)


pushes = queue.Queue()
seen = set()  # pushes that were shown; a real bridge keeps this bounded, or on disk
unanswered = set()
connection = None
connecting = threading.Lock()


def connected():
    """The connection, made anew when it is lost."""
    global connection
    with connecting:
        failures = 0
        while connection is None or connection.closed:
            try:
                connection = Connection(lambda name, payload: pushes.put(payload) if name.endswith("bncr.push") else None)
                connection.call("bncr.connect", {**ACCOUNT, "ack": True})
            except (OSError, queue.Empty) as error:
                if failures == 0:  # once an outage is enough
                    print(f"no connection to {PATH} ({error}); trying again (a host is started with: channelbridge serve)", file=sys.stderr)
                failures += 1
            except Refused as error:
                if not error.retryable:
                    print(f"can't connect: {error}", file=sys.stderr, flush=True)
                    os._exit(1)  # also when a thread of ours found out
                connection = None
                failures += 1
            if failures and (connection is None or connection.closed):
                time.sleep(random.random() * min(30, 0.5 * 2**failures))
        return connection


def deliver():
    """From the agent to the platform: each message once, acknowledged when it is shown."""
    while True:
        push = pushes.get()
        if push["idempotencyKey"] not in seen:
            seen.add(push["idempotencyKey"])
            print(push["message"]["msg"], flush=True)
        try:
            connected().call("bncr.ack", {**ACCOUNT, "messageId": push["messageId"], "ok": True})
        except (ConnectionError, Refused, queue.Empty):
            pass  # a lost ack means another push
        if push["message"].get("kind") == "final":
            unanswered.discard(push.get("replyToId"))


def send(text):
    """From the platform to the agent: again under the same msgId until the host has it on disk."""
    message = {**ACCOUNT, "platform": "terminal", "userId": getpass.getuser(), "msg": text, "msgId": uuid.uuid4().hex}
    unanswered.add(message["msgId"])
    while True:
        try:
            result = connected().call("bncr.inbound", message)
            if not result["accepted"]:
                unanswered.discard(message["msgId"])
                print("refused:", result.get("reason"), file=sys.stderr)
            return
        except Refused as error:
            if not error.retryable:
                unanswered.discard(message["msgId"])
                print("not sent:", error, file=sys.stderr)
                return
            time.sleep(1)
        except (ConnectionError, queue.Empty):
            pass


def heartbeat():
    """Tells the host that the bridge is alive; it counts one as offline after 120 s."""
    while True:
        time.sleep(30)
        try:
            connected().call("bncr.activity", ACCOUNT)
        except (ConnectionError, Refused, queue.Empty):
            pass


try:
    connected()
    threading.Thread(target=deliver, daemon=True).start()
    threading.Thread(target=heartbeat, daemon=True).start()
    for line in sys.stdin:
        send(line.rstrip("\n"))
    while unanswered:
        time.sleep(0.05)
except KeyboardInterrupt:
    sys.exit(130)
