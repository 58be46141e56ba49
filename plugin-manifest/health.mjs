// GET /NAME/health on the gateway, for what clients of earlier plugins look at: 200 while the host is connected, else 503.
import { liveBridge } from './bridge.mjs';
import { HEALTH } from './manifest.mjs';

/** Registers a route for each name. */
export function registerHealth(api) {
  if (typeof api.registerHttpRoute !== 'function') return;
  for (const plugin of HEALTH) {
    api.registerHttpRoute({
      path: `/${plugin}/health`,
      auth: 'plugin',
      match: 'exact',
      handler: (_request, response) => {
        const ok = liveBridge().link?.connected === true;
        response.statusCode = ok ? 200 : 503;
        response.setHeader('Content-Type', 'application/json');
        response.setHeader('Cache-Control', 'no-store');
        response.end(JSON.stringify({ ok, plugin }));
        return true;
      },
    });
  }
}
