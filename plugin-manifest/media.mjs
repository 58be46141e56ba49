// Files over the link, in pieces. The host may be on another machine, so bytes travel, never paths. Towards the agent they are gathered
// here and saved through the gateway's runtime; what the agent sends is read through the runtime, which knows the folders that it may
// read from and guards its URLs, and goes to the host's spool before the message that carries it.
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import { CHANNEL, resolveAccount } from './accounts.mjs';
import { bridge, currentConfig } from './bridge.mjs';

const PIECE_BYTES = 512 * 1024;
const DEFAULT_MAX_MB = 50;
const MAX_HELD_BYTES = 256 * 1024 * 1024;
const HELD_MS = 10 * 60_000;

/** Files that the host has given for turns that are about to come, by media id. */
const held = new Map();
let heldBytes = 0;

export const maxBytesOf = (account) => (account.mediaMaxMb ?? DEFAULT_MAX_MB) * 1024 * 1024;

/** Answers link.media: a piece of a user's file. Pieces come one after the other. */
export function takePiece({ mediaId, offset, size, content, accountId }) {
  dropStale();
  const max = maxBytesOf(resolveAccount(currentConfig(), accountId));
  if (size > max) return { accepted: false, reason: `larger than the gateway's limit of ${max} bytes (mediaMaxMb)` };
  const bytes = Buffer.from(content, 'base64');
  let file = held.get(mediaId);
  if (offset === 0) {
    forget(mediaId);
    if (heldBytes + size > MAX_HELD_BYTES) return { accepted: false, reason: 'the gateway holds too many files just now' };
    file = { pieces: [], received: 0, at: Date.now() };
    held.set(mediaId, file);
  }
  if (!file || file.received !== offset || offset + bytes.length > size) {
    forget(mediaId);
    return { accepted: false, reason: 'its pieces came out of order' };
  }
  file.pieces.push(bytes);
  file.received += bytes.length;
  file.at = Date.now();
  heldBytes += bytes.length;
  return { accepted: true };
}

/** Saves a turn's files where the agent may read them. */
export async function saveMedia(media, account) {
  const saved = [];
  for (const { content, mediaId, mimeType, fileName } of media ?? []) {
    const bytes = typeof content === 'string' ? Buffer.from(content, 'base64') : take(mediaId);
    if (!bytes) continue;
    const file = await bridge.runtime.channel.media.saveMediaBuffer(bytes, mimeType, 'inbound', maxBytesOf(account), fileName);
    saved.push({ path: file.path, contentType: file.contentType ?? mimeType, fileName });
  }
  return saved;
}

function take(mediaId) {
  const file = held.get(mediaId);
  if (!file) return null;
  const bytes = Buffer.concat(file.pieces);
  forget(mediaId);
  return bytes;
}

function forget(mediaId) {
  const file = held.get(mediaId);
  if (file && held.delete(mediaId)) heldBytes -= file.received;
}

function dropStale() {
  const before = Date.now() - HELD_MS;
  for (const [mediaId, file] of [...held]) if (file.at < before) forget(mediaId);
}

/**
 * Reads what the agent sends and puts it into the host's spool; gives what link.send takes. A file that can't be read is named with the
 * reason instead: the text that goes with it is still worth sending.
 */
export async function sendMedia(sources, { accountId, to, access = {}, voice, signal }) {
  const media = [];
  for (const source of sources) {
    const fileName = nameOf(source);
    let loaded;
    try {
      const maxBytes = maxBytesOf(resolveAccount(currentConfig(), accountId));
      loaded = await bridge.runtime.media.loadWebMedia(source, loadOptions(access, maxBytes));
    } catch (error) {
      bridge.logger.warn(`a file of the agent can't be read: ${error?.message ?? error}`);
      media.push({ fileName, reason: 'the gateway can\'t read it' });
      continue;
    }
    const name = loaded.fileName ?? fileName;
    const file = await upload(loaded.buffer, { accountId, to, mimeType: loaded.contentType, fileName: name, signal });
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

async function upload(bytes, { accountId, to, mimeType, fileName, signal }) {
  const mediaId = randomUUID();
  for (let offset = 0; ;) {
    const piece = bytes.subarray(offset, offset + PIECE_BYTES);
    const answer = await bridge.link.request('link.media', {
      mediaId, offset, size: bytes.length, content: piece.toString('base64'), mimeType, fileName,
      ...(offset === 0 ? { channel: CHANNEL, accountId, to } : {}),
    }, { timeoutMs: 30_000, signal });
    if (answer.file) return answer.file;
    offset += piece.length;
  }
}

/** The last part of a path or URL, to show. */
function nameOf(source) {
  const name = basename(String(source).split(/[?#]/)[0]);
  return name.length > 0 && name.length <= 80 ? name : undefined;
}
