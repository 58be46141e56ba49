"""What the quick start of the SDK and its chapter on the WebSocket do: two identities, one message; sealed, plain, and over a bare WebSocket; then an agent of the host."""
import argparse
import asyncio
import secrets

from aun import Agent, discover, trust


async def make(gateway, aid, root, tls):
    agent = Agent(gateway, aid, root, tls)
    await agent.create()
    await agent.login()
    return agent


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--base", required=True)
    options.add_argument("--root")
    options.add_argument("--domain", default="agentid.pub")
    options.add_argument("--agent")
    options = options.parse_args()
    tls, root = trust(options.root) if options.root else (None, None)
    if not options.base.startswith("https"):
        tls = None
    gateway = discover(options.base, tls)
    names = [f"{name}{secrets.randbelow(9000) + 1000}.{options.domain}" for name in ("alice", "bob")]

    alice, bob = [await make(gateway, name, root, tls) for name in names]
    for one in (alice, bob):
        await one.connect()
        await one.publish()
    sent = await alice.send(bob.aid, {"type": "text", "text": "Hello from Alice! Grüße"})
    got = await bob.receive()
    assert got["payload"] == {"type": "text", "text": "Hello from Alice! Grüße"} and got["from"] == alice.aid and got["seq"] == 1, got
    print("sealed:", sent["status"], sent["seq"])
    sent = await alice.send(bob.aid, {"type": "text", "text": "plain"}, sealed=False)
    got = await bob.receive()
    assert got["payload"]["text"] == "plain" and not got.get("encrypted") and got["seq"] == 2, got
    print("plain:", sent["status"], sent["seq"])
    for one in (alice, bob):
        await one.close()

    # The raw program: nothing but nonce, token and version.
    for one in (alice, bob):
        await one.connect(raw=True)
    sent = await alice.line.call("message.send", {"to": bob.aid, "payload": {"type": "text", "text": "raw"}})
    event = await bob.line.event("message.received")
    assert event["payload"]["text"] == "raw" and event["seq"] == 3, event
    pulled = await bob.line.call("message.pull", {"after_seq": 0, "limit": 10})
    # The first was sealed for one device, which a client without a device isn't.
    assert [one["seq"] for one in pulled["messages"]] == [2, 3] and pulled["server_ack_seq"] == 1 and pulled["latest_seq"] == 3, pulled
    print("raw:", sent["status"], sent["seq"])
    for one in (alice, bob):
        await one.close()

    if options.agent:
        await alice.connect()
        for sealed in (True, False):
            await alice.send(options.agent, {"type": "text", "text": f"to the agent {sealed}"}, sealed=sealed)
            got = await alice.receive()
            assert got["from"] == options.agent and got.get("encrypted", False) == sealed and got["payload"]["text"] == f"echo: to the agent {sealed}", got
            print("agent:", "sealed" if sealed else "plain", got["payload"]["text"])
        await alice.close()
    print("done")


asyncio.run(main())
