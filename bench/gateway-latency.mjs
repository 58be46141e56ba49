#!/usr/bin/env node
// How much longer an answer takes through ChannelBridge than by the gateway's own chat.send: same gateway, same model, same minute, in turn.
//
//   node bench/gateway-latency.mjs --openclaw DIR [--rounds 30]
//
// DIR holds node_modules with node@24 and openclaw@2026.9.6; the host is taken from the Release build of src/ChannelBridge.Host.
import { at, option, startLab } from "./gateway-lab.mjs";

const rounds = Number(option("rounds", "30"));
const { call, until } = await startLab();

const own = async (round) => {
  const final = until((frame) => frame.event === "chat" && frame.payload.state === "final");
  await call("chat.send", { sessionKey: "agent:main:bench", message: `say ${round}`, idempotencyKey: `own-${round}` });
  await final;
};
const bridged = async (round) => {
  const pushed = until((frame) => frame.event === "plugin.bncr.push");
  await call("bncr.inbound", {
    accountId: "Primary", clientId: "bench", platform: "bench", groupId: "0", userId: "user", type: "text", msg: `say ${round}`, msgId: `m-${round}`,
  });
  return (await pushed).payload;
};
const ack = ({ messageId }) => call("bncr.ack", { accountId: "Primary", clientId: "bench", messageId, ok: true });
const times = { own: [], bridged: [] };
for (let round = -5; round < rounds; round++) {
  for (const [name, way] of [["own", own], ["bridged", bridged]]) {
    // The gateway tidies up after a turn; the next one is not to pay for it.
    await new Promise((done) => setTimeout(done, 400));
    const began = performance.now();
    const push = await way(round);
    // The first rounds warm both ways up.
    if (round >= 0) times[name].push(performance.now() - began);
    if (push) await ack(push);
  }
}

const [chat, bncr] = [times.own, times.bridged];
console.log("| | p50 | p90 |\n|---|---|---|");
console.log(`| chat.send to its final event, the gateway's own way | ${at(chat, 0.5).toFixed(0)} ms | ${at(chat, 0.9).toFixed(0)} ms |`);
console.log(`| bncr.inbound to its push, through ChannelBridge | ${at(bncr, 0.5).toFixed(0)} ms | ${at(bncr, 0.9).toFixed(0)} ms |`);
console.log(`| added | ${(at(bncr, 0.5) - at(chat, 0.5)).toFixed(0)} ms (${(at(bncr, 0.5) / at(chat, 0.5)).toFixed(2)} ×) | ${(at(bncr, 0.9) - at(chat, 0.9)).toFixed(0)} ms |`);
console.log(`\n${new Date().toISOString().slice(0, 10)}, ${rounds} rounds of each in turn, one gateway, one model that answers at once`);
process.exit(0);
