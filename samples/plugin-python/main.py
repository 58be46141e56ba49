"""A channel that is a folder: what is put into IN/NAME.txt is a message of the conversation NAME, its answers appear in OUT. So is what is posted to
/pyfolder/NAME; /pyfolder/NAME/events tells the answers as they come.

A message's file is removed when the host has the message on disk; an answer is acked when its file is there. Killed at any moment, it loses nothing.
"""
import hashlib
import json
import os
import threading
import uuid

from channelbridge import HostError, Plugin

plugin = Plugin("folder-python", "1.0.0", channels=["pyfolder"], methods=["pyfolder.waiting"],
                endpoints=["POST /pyfolder/{name}", "GET /pyfolder/{name}/events"])
folders, readers = {}, {}


@plugin.on("start")
def start(start, **more):
    settings = start.get("settings") or {}
    folder = settings.get("folder") or plugin.data_folder
    for name in ("in", "out"):
        folders[name] = os.path.join(folder, name)
        os.makedirs(folders[name], exist_ok=True)
    threading.Thread(target=watch, daemon=True).start()
    return {"accounts": {"pyfolder": [{"accountId": "Main", "connected": True, "activeConnections": 1}]}}


def watch():
    plugin.call("attach", channel="pyfolder", accountId="Main")
    while not plugin.stopping.wait(0.1):
        for name in sorted(os.listdir(folders["in"])):
            if not name.endswith(".txt"):
                continue
            path = os.path.join(folders["in"], name)
            with open(path, encoding="utf-8") as file:
                text = file.read().strip()
            who = name[:-4].split("-")[0]
            key = hashlib.sha256(f"{name}\n{os.stat(path).st_mtime_ns}\n{text}".encode()).hexdigest()
            try:
                plugin.accept({"channel": "pyfolder", "accountId": "Main", "sessionKey": f"pyfolder:{who}", "route": who, "senderId": who, "text": text}, key)
            except HostError:
                break
            os.remove(path)


@plugin.on("push")
def push(id, message, **more):
    path = os.path.join(folders["out"], id + ".txt")
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(message.get("text", "") + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".part", path)
    for stream in readers.get(message["route"], [])[:]:
        try:
            stream.write_item(json.dumps({"data": message.get("text", ""), "event": "answer", "id": id}).encode())
        except HostError:
            readers[message["route"]].remove(stream)
    return {"outcome": "flushed", "ack": plugin.ack_of(id, message, delivered=True)}


@plugin.on("http")
def http(request, **content):
    name = request["values"]["name"]
    if not name.isalnum():
        raise HostError("INVALID_REQUEST", "a name has letters and digits")
    if request["verb"] == "GET":
        stream = plugin.open_stream()
        readers.setdefault(name, []).append(stream)
        return {"events": stream.number}
    text = plugin.body_of(**content).decode("utf-8", "replace").strip()
    if not text:
        raise HostError("INVALID_REQUEST", "the message is empty")
    key = request["headers"].get("idempotency-key") or str(uuid.uuid4())
    receipt = plugin.accept({"channel": "pyfolder", "accountId": "Main", "sessionKey": f"pyfolder:{name}", "route": name, "senderId": name, "text": text}, "http-" + key)
    # Only now: 202 says that it is on disk.
    return {"status": 202, "contentType": "application/json", "text": json.dumps(receipt)}


@plugin.on("resolveTarget")
def resolve(accountId, target, **more):
    if not target.isalnum():
        raise HostError("NOT_FOUND", "a target is a name of letters and digits")
    return {"accountId": "Main", "sessionKey": f"pyfolder:{target}", "route": target}


@plugin.on("formatTarget")
def format_target(sessionKey, **more):
    return sessionKey.removeprefix("pyfolder:")


@plugin.on("method")
def method(name, **more):
    return {"waiting": len(os.listdir(folders["in"]))}


plugin.run()
