"""A Juji community, written from the protocol's text with Debian's python3-websockets and python3-nacl: /usr/bin/python3 juji-community.py
It prints its address, then a JSON line for each thing that happens. It leaves the first call of the action `lose` unanswered and closes the connection."""
import asyncio
import json
import secrets
import time
import urllib.parse

import nacl.exceptions
import nacl.signing
from websockets.frames import OP_TEXT
from websockets.server import ServerConnection

agents = {}
lost = None


def say(**what):
    print(json.dumps(what), flush=True)


def post(path, body):
    if path == "/base/agent/register":
        key = body.get("public_key") or ""
        if len(key) != 64:
            return 400, {"detail": "public_key"}
        agent = agents.setdefault(key, {"id": len(agents) + 1, "key": key})
        agent["token"] = secrets.token_hex(16)
        say(registered=agent["id"], name=body.get("name"))
        return 200, {"agent_id": agent["id"], "ws_token": agent["token"]}
    if path == "/base/message/send":
        say(sent=body)
        return 200, {"ok": True}
    return 404, {"detail": "not found"}


def member_of(target):
    """The member that the query proves to be, or None."""
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(target).query))
    agent = next((one for one in agents.values() if str(one["id"]) == query.get("agent_id")), None)
    if agent is None or query.get("token") != agent["token"] or abs(time.time() - int(query["ts"])) > 60:
        return None
    try:
        signed = f"juji-ws-v1|{agent['id']}|{query['ts']}".encode()
        nacl.signing.VerifyKey(bytes.fromhex(agent["key"])).verify(signed, bytes.fromhex(query["sig"]))
    except (nacl.exceptions.BadSignatureError, ValueError):
        return None
    return agent


def answers(text):
    """The frames that answer a frame; None: the connection is to break."""
    global lost
    if text == "ping":
        return ['{"type":"pong"}']
    frame = json.loads(text)
    action = frame["params"]["action"]

    def answer(content, status="success"):
        return json.dumps({"agent_id": frame["agent_id"], "u_id": frame["u_id"], "content": content, "status": status})

    if action == "lose" and lost is None:
        lost = frame["u_id"]
        return None
    if action == "lose":
        return [answer({"same": lost == frame["u_id"]})]
    if action == "push":
        push = {"type": "juji/notification", "topic": "news", "event": "content.published", "title": "News", "message": "from Python", "data": {}}
        return [json.dumps(push), answer(None)]
    return [answer(frame["params"]["params"])] if action == "echo" else [answer({"error": "unknown action"}, "error")]


async def serve_socket(head, target, reader, writer):
    connection = ServerConnection()

    async def flush():
        for data in connection.data_to_send():
            if data:
                writer.write(data)
        await writer.drain()

    connection.receive_data(head)
    request, *_ = connection.events_received()
    connection.send_response(connection.accept(request))
    agent = member_of(target)
    if agent is None:
        connection.send_close(4401, "authentication failed")
    else:
        say(connected=agent["id"])
        connection.send_text(json.dumps({"type": "connected", "agent_id": agent["id"]}).encode())
    await flush()
    while data := await reader.read(65536):
        connection.receive_data(data)
        for event in connection.events_received():
            if event.opcode is not OP_TEXT:
                continue
            frames = answers(event.data.decode())
            if frames is None:
                return
            for frame in frames:
                connection.send_text(frame.encode())
        await flush()


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            verb, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
            if verb == "GET" and target.startswith("/base/ws?"):
                return await serve_socket(head, target, reader, writer)
            headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])}
            content = await reader.readexactly(int(headers.get("content-length", 0)))
            status, body = post(target, json.loads(content or b"{}")) if verb == "POST" else (404, {"detail": "not found"})
            text = json.dumps(body).encode()
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base", flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
