// Files over the link, in pieces. The host may be on another machine, so bytes travel, never paths; they come and go as they are, without
// base64, where host and plugin both can. What a user sent streams into the gateway's media folder, piece by piece; what the agent sends
// is read through the runtime, which knows the folders that it may read from and guards its URLs, and goes to the host's spool before the
// message that carries it.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import { basename } from 'node:path';
import { PassThrough } from 'node:stream';
import { saveMediaStream } from 'openclaw/plugin-sdk/media-store';
import { resolveAccount } from './accounts.mjs';
import { bridge, currentConfig } from './bridge.mjs';
import { FIRST_CHANNEL, isOwnChannel } from './manifest.mjs';

const PIECE_BYTES = 512 * 1024;
const DEFAULT_MAX_MB = 50;
const MAX_HELD = 256;
const HELD_MS = 10 * 60_000;

/** Files that the host has given for turns that are about to come, by media id. */
const held = new Map();

export const maxBytesOf = (account) => (account.mediaMaxMb ?? DEFAULT_MAX_MB) * 1024 * 1024;

/** The account that a turn or a file runs under: its own, or the first channel's where the package doesn't have its channel. */
export const accountOf = (channel, accountId) => (isOwnChannel(channel)
  ? resolveAccount(channel, currentConfig(), accountId)
  : resolveAccount(FIRST_CHANNEL, currentConfig(), undefined));

/** Answers link.media: a piece of a user's file, with its bytes or with base64. Pieces come one after the other. */
export async function takePiece({ channel, mediaId, offset, size, content, mimeType, fileName, accountId }, bytes = Buffer.from(content ?? '', 'base64')) {
  dropStale();
  const max = maxBytesOf(accountOf(channel, accountId));
  if (size > max) return { accepted: false, reason: `larger than the gateway's limit of ${max} bytes (mediaMaxMb)` };
  if (offset === 0) {
    forget(mediaId);
    if (held.size >= MAX_HELD) return { accepted: false, reason: 'the gateway holds too many files just now' };
    begin(mediaId, { max, mimeType, fileName });
  }
  const file = held.get(mediaId);
  if (!file || file.received !== offset || offset + bytes.length > size) {
    forget(mediaId);
    return { accepted: false, reason: 'its pieces came out of order' };
  }
  file.received += bytes.length;
  file.at = Date.now();
  try {
    // A piece is answered when there is room for the next one: no more than two of a file are ever in memory.
    if (!file.stream.write(bytes)) await Promise.race([once(file.stream, 'drain'), file.saved.then(() => {})]);
    if (file.received === size) {
      file.stream.end();
      await file.saved;
    }
  } catch (error) {
    bridge.logger.warn(`a user's file can't be saved: ${error?.message ?? error}`);
    forget(mediaId);
    return { accepted: false, reason: 'the gateway can\'t save it' };
  }
  return { accepted: true };
}

function begin(mediaId, { max, mimeType, fileName }) {
  const stream = new PassThrough({ highWaterMark: PIECE_BYTES });
  const saved = saveMediaStream(stream, mimeType, 'inbound', max, fileName);
  saved.catch(() => stream.destroy()); // whoever waits for the next piece or the end hears of it
  stream.on('error', () => {});
  held.set(mediaId, { stream, saved, received: 0, at: Date.now() });
}

/** A turn's files, where the agent may read them. */
export async function saveMedia(media, account) {
  const saved = [];
  for (const { content, mediaId, mimeType, fileName } of media ?? []) {
    const file = typeof content === 'string'
      ? await bridge.runtime.channel.media.saveMediaBuffer(Buffer.from(content, 'base64'), mimeType, 'inbound', maxBytesOf(account), fileName)
      : await take(mediaId);
    if (file) saved.push({ path: file.path, contentType: file.contentType ?? mimeType, fileName });
  }
  return saved;
}

/** Files of a turn that isn't run. */
export function dropMedia(media) {
  for (const { mediaId } of media ?? []) forget(mediaId);
}

async function take(mediaId) {
  const file = held.get(mediaId);
  held.delete(mediaId);
  return file?.saved;
}

/** Nobody will ask for the file: what has come of it goes, too. */
function forget(mediaId) {
  const file = held.get(mediaId);
  if (!file || !held.delete(mediaId)) return;
  file.stream.destroy(new Error('given up'));
  file.saved.then(({ path }) => fs.rm(path, { force: true })).catch(() => {});
}

function dropStale() {
  const before = Date.now() - HELD_MS;
  for (const [mediaId, file] of [...held]) if (file.at < before) forget(mediaId);
}

/**
 * Reads what the agent sends and puts it into the host's spool; gives what link.send takes. A file that can't be read is named with the
 * reason instead: the text that goes with it is still worth sending.
 */
export async function sendMedia(sources, { channel, accountId, to, access = {}, voice, signal }) {
  const media = [];
  for (const source of sources) {
    const fileName = nameOf(source);
    let loaded;
    try {
      const maxBytes = maxBytesOf(accountOf(channel, accountId));
      loaded = await bridge.runtime.media.loadWebMedia(source, loadOptions(access, maxBytes));
    } catch (error) {
      bridge.logger.warn(`a file of the agent can't be read: ${error?.message ?? error}`);
      media.push({ fileName, reason: 'the gateway can\'t read it' });
      continue;
    }
    const name = loaded.fileName ?? fileName;
    const file = await upload(loaded.buffer, { channel, accountId, to, mimeType: loaded.contentType, fileName: name, signal });
    media.push({ file, mimeType: loaded.contentType, fileName: name, voice: voice || undefined });
  }
  return media;
}

/** What the agent may read; images go as they are. */
function loadOptions({ localRoots, readFile, workspaceDir }, maxBytes) {
  return {
    maxBytes,
    optimizeImages: false,
    ...(localRoots?.length ? { localRoots } : {}),
    ...(readFile && localRoots?.length ? { readFile, hostReadCapability: true } : {}),
    ...(workspaceDir ? { workspaceDir } : {}),
  };
}

async function upload(bytes, { channel, accountId, to, mimeType, fileName, signal }) {
  const mediaId = randomUUID();
  for (let offset = 0; ;) {
    const piece = bytes.subarray(offset, offset + PIECE_BYTES);
    const binary = bridge.link.binary && piece.length > 0;
    const answer = await bridge.link.request('link.media', {
      mediaId, offset, size: bytes.length, mimeType, fileName,
      ...(binary ? {} : { content: piece.toString('base64') }),
      ...(offset === 0 ? { channel, accountId, to } : {}),
    }, { timeoutMs: 30_000, signal, content: binary ? piece : undefined });
    if (answer.file) return answer.file;
    offset += piece.length;
  }
}

/** The last part of a path or URL, to show. */
function nameOf(source) {
  const name = basename(String(source).split(/[?#]/)[0]);
  return name.length > 0 && name.length <= 80 ? name : undefined;
}
