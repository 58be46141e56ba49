#!/usr/bin/env node
// A file through the gateway to the host's disk, beside the gateway's own cheapest method that carries the same bytes: same gateway, same client, same
// frames but for the method's name, in turn. The gateway's own one only parses its frame and answers; a file is decoded, hashed twice and written.
//
//   node bench/gateway-files.mjs --openclaw DIR [--megabytes 50] [--rounds 5] [--window 8] [--chunk 262144] [--method health]
//
// DIR holds node_modules with node@24 and openclaw@2026.9.6; the host is taken from the Release build of src/ChannelBridge.Host.
import { createHash, randomBytes } from "node:crypto";
import { at, cpuOf, option, startLab } from "./gateway-lab.mjs";

const chunkBytes = Number(option("chunk", "262144"));
const chunks = Math.ceil((Number(option("megabytes", "50")) * 1024 * 1024) / chunkBytes);
const rounds = Number(option("rounds", "5"));
const window = Number(option("window", "8"));
const method = option("method", "health");
const { call, send, onMessage, gateway, host } = await startLab();

const bytes = randomBytes(chunkBytes);
const base64 = bytes.toString("base64");
const sha256 = createHash("sha256").update(bytes).digest("hex");
const whole = createHash("sha256");
for (let index = 0; index < chunks; index++) whole.update(bytes);
const fileSha256 = whole.digest("hex");

let answered = () => {};
let ownAnswer = "";
onMessage(({ data }) => {
  if (data.startsWith('{"type":"res","id":"f')) answered(data);
});

/** Sends so many frames with a window, whatever method they name; completes when the last one is answered. */
const frames = (name, transferId, good) => new Promise((done, failed) => {
  let sent = 0;
  let got = 0;
  const fill = () => {
    for (; sent < chunks && sent - got < window; sent++) {
      send(`{"type":"req","id":"f${sent}","method":"${name}","params":{"accountId":"Primary","clientId":"bench","transferId":"${transferId}","chunkIndex":${sent},`
        + `"offset":${sent * chunkBytes},"size":${chunkBytes},"chunkSha256":"${sha256}","base64":"${base64}"}}`);
    }
  };
  answered = (data) => {
    if (good && !data.includes('"ok":true')) failed(new Error(data));
    if (!good) ownAnswer = JSON.parse(data).error?.code ?? "ok";
    if (++got === chunks) done();
    else fill();
  };
  fill();
});

const own = () => frames(method, "none", false);
let last = 0;
const file = async () => {
  const transferId = `bench-${process.pid}-${last++}`;
  await call("bncr.file.init", {
    accountId: "Primary", clientId: "bench", transferId, sessionKey: `agent:main:bncr:direct:${Buffer.from("bench:0:user").toString("hex")}`, fileName: "b.bin",
    fileSize: chunks * chunkBytes, chunkSize: chunkBytes, totalChunks: chunks, fileSha256,
  });
  await frames("bncr.file.chunk", transferId, true);
  await call("bncr.file.complete", { accountId: "Primary", clientId: "bench", transferId });
};

const rows = { own: [], file: [] };
for (let round = -1; round < rounds; round++) {
  for (const [name, way] of [["own", own], ["file", file]]) {
    const before = { gateway: cpuOf(gateway), host: cpuOf(host), began: performance.now() };
    await way();
    const row = { ms: performance.now() - before.began, gateway: cpuOf(gateway) - before.gateway, host: cpuOf(host) - before.host };
    // The first round warms both ways up.
    if (round >= 0) rows[name].push(row);
  }
}

const mib = (chunks * chunkBytes) / 1024 / 1024;
const median = (name, field) => at(rows[name].map((row) => row[field]), 0.5);
const line = (title, name) => `| ${title} | ${((mib * 1000) / median(name, "ms")).toFixed(0)} MiB/s | ${median(name, "gateway")} ms | ${median(name, "host")} ms |`;
console.log("| | rate | processor time of the gateway | of the host |\n|---|---|---|---|");
console.log(line(`${method}, the gateway's own (answers ${ownAnswer})`, "own"));
console.log(line("a file, to the host's disk", "file"));
console.log(`| ratio | ${(median("own", "ms") / median("file", "ms")).toFixed(2)} | ${(median("own", "gateway") / median("file", "gateway")).toFixed(2)} | |`);
console.log(`\n${new Date().toISOString().slice(0, 10)}, ${mib} MiB in chunks of ${chunkBytes / 1024} KiB, ${window} at a time, median of ${rounds} rounds of each in turn`);
process.exit(0);
