// The plugin's own settings (plugins.entries.channelbridge.config) made into what the link needs: the path of a socket or pipe and
// the host's token. This is the only file that reads from the disk.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

export const PLUGIN_ID = 'channelbridge';

/** Where the host keeps its data unless told otherwise; the host uses the same rule. */
const defaultDirectory = () => path.join(os.homedir(), '.channelbridge');

/** The settings with defaults; throws with the key and an example when one is wrong. */
export function resolveSettings(config = {}) {
  const endpoint = config.endpoint ?? (process.platform === 'win32' ? 'npipe:channelbridge' : `unix:${path.join(defaultDirectory(), 'channelbridge.sock')}`);
  const [, scheme, rest] = /^(unix|npipe):(.+)$/s.exec(endpoint) ?? [];
  if (!scheme || (scheme === 'unix' && !path.isAbsolute(rest))) {
    throw new Error(`plugins.entries.${PLUGIN_ID}.config.endpoint is "${endpoint}"; expected unix:/absolute/path/channelbridge.sock or npipe:NAME`);
  }
  if (config.tokenFile !== undefined && !path.isAbsolute(config.tokenFile)) {
    throw new Error(`plugins.entries.${PLUGIN_ID}.config.tokenFile is "${config.tokenFile}"; expected an absolute path such as /var/lib/channelbridge/token`);
  }
  const directory = scheme === 'unix' ? path.dirname(rest) : defaultDirectory();
  return {
    path: scheme === 'npipe' ? `\\\\.\\pipe\\${rest}` : rest,
    tokenFile: config.tokenFile ?? path.join(directory, 'token'),
  };
}

/** The host's token, read anew for each hello: the host may have written it after the gateway started. */
export async function readToken(tokenFile) {
  try {
    return (await fs.readFile(tokenFile, 'utf8')).trim();
  } catch (error) {
    throw new Error(`the token file ${tokenFile} can't be read (${error.code}); set plugins.entries.${PLUGIN_ID}.config.tokenFile to the host's DIR/token`);
  }
}
