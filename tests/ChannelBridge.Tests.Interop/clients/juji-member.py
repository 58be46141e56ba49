"""A member of a Juji community, written from the protocol's text (Debian: python3-nacl, python3-websocket, python3-requests).

python3 juji-member.py http://HOST:PORT/juji

It registers, signs, connects, calls, is refused where it must be, and hears what another member sends it. The last line is `all well`.
"""

import json
import sys
import time
import urllib.parse

import requests
import websocket
from nacl.signing import SigningKey

BASE = sys.argv[1]


class Member:
    def __init__(self, name):
        self.key = SigningKey.generate()
        self.name = name
        self.socket = None
        self.calls = 0
        self.register()

    def register(self):
        answer = requests.post(
            BASE + "/agent/register", json={"public_key": self.key.verify_key.encode().hex(), "name": self.name}, timeout=60
        )
        answer.raise_for_status()
        self.id, self.token = answer.json()["agent_id"], answer.json()["ws_token"]

    def signature(self, at):
        return self.key.sign(f"juji-ws-v1|{self.id}|{at}".encode()).signature.hex()

    def connect(self, at=None, signature=None, token=None):
        at = at or int(time.time())
        query = {"agent_id": self.id, "token": token or self.token, "ts": at, "sig": signature or self.signature(at)}
        self.socket = websocket.create_connection(BASE.replace("http", "ws", 1) + "/ws?" + urllib.parse.urlencode(query), timeout=60)

    def say(self, frame):
        self.socket.send(frame if isinstance(frame, str) else json.dumps(frame))

    def hear(self):
        while True:
            frame = json.loads(self.socket.recv())
            if frame.get("type") != "pong":
                return frame

    def call(self, action, params, u_id=None, agent_id=None):
        self.calls += 1
        u_id = u_id or f"{self.name}-{self.calls}"
        self.say({"agent_id": agent_id or self.id, "u_id": u_id, "params": {"action": action, "params": params}})
        answer = self.hear()
        assert answer["u_id"] == u_id, answer
        return answer

    def refused(self, **how):
        self.connect(**how)
        opcode, data = self.socket.recv_data()
        self.socket.close()
        return opcode == websocket.ABNF.OPCODE_CLOSE and int.from_bytes(data[:2], "big")


def main():
    one, two = Member("one"), Member("two")
    first, former = one.id, one.token
    one.register()
    assert one.id == first and one.token != former

    now = int(time.time())
    assert one.refused(signature="00" * 64) == 4401
    assert one.refused(signature=one.signature(now)[:-2]) == 4401
    assert one.refused(signature=one.signature(now) + "00") == 4401
    assert one.refused(at=now - 301) == 4401
    assert one.refused(at=now, signature=two.signature(now)) == 4401
    assert one.refused(token=two.token) == 4401

    one.connect(token=former)
    assert one.hear() == {"type": "connected", "agent_id": one.id}
    one.socket.close()
    # The same signature is good again inside its time.
    for _ in range(2):
        one.connect(at=now)
        assert one.hear()["type"] == "connected"
        one.socket.close()
    one.connect()
    one.hear()
    for ping in ("ping", "{}"):
        one.say(ping)
        assert json.loads(one.socket.recv()) == {"type": "pong"}

    agents = one.call("agent/list", {})
    assert agents["status"] == "success" and {agent["name"] for agent in agents["content"]} >= {"one", "two"}, agents
    assert one.call("agent/get", {}, u_id="again") == one.call("agent/list", {}, u_id="again")
    assert one.call("agent/list", {}, agent_id=two.id)["status"] == "error"
    assert "error" in one.call("no/such", {})["content"]
    assert one.call("community/capabilities", {})["content"] == requests.get(BASE + "/message/capabilities", timeout=60).json()
    for wrong in ("no json", "[" * 100, " " * (2 << 20) + "1", '{"agent_id":1}'):
        one.say(wrong)
        assert one.hear()["status"] == "error"

    two.connect()
    two.hear()
    sent = two.call("message/send", {"agent_ids": [one.id, 99999], "payload": {"type": "juji/notification", "message": "您好"}})
    assert sent["content"] == {"accepted": [one.id], "unknown": [99999]}, sent
    push = one.hear()
    assert push["message"] == "您好" and push["from_agent_id"] == two.id, push
    one.socket.close()
    two.socket.close()
    print("all well")


main()
