"""Asks an agent of the gateway by its AID, sealed and plain, and prints what it answers."""
import argparse
import asyncio
import secrets

from aun import Agent, discover


async def main():
    options = argparse.ArgumentParser()
    options.add_argument("--base", required=True)
    options.add_argument("--agent", required=True)
    options.add_argument("--ask", required=True, help="a text in which {} stands for how it is sent")
    options = options.parse_args()
    alice = Agent(discover(options.base), f"alice{secrets.randbelow(9000) + 1000}.{options.agent.split('.', 1)[1]}")
    await alice.create()
    await alice.login()
    await alice.connect()
    await alice.publish()
    for how in ("sealed", "plain"):
        await alice.send(options.agent, {"type": "text", "text": options.ask.format(how)}, sealed=how == "sealed")
        got = await alice.receive(timeout=120)
        assert got["from"] == options.agent and got.get("encrypted", False) == (how == "sealed"), got
        print(f"{how}: {got['payload']['text']}")
    await alice.close()
    print("done")


asyncio.run(main())
