// Makes Node's http and https agents use the proxy that the environment names.
//
// Node 22.21 and 24 have an option for it, proxyEnv, but agents that a library
// makes for itself (AWS's SDK among them) do not set it; Node 20 has none, so
// there a CONNECT tunnel is made here. Loaded with --require; it must never
// throw: then the function would not start.
'use strict';

try {
  const http = require('node:http');
  const https = require('node:https');
  const net = require('node:net');
  const tls = require('node:tls');
  const { syncBuiltinESMExports } = require('node:module');

  const env = process.env;
  const proxyOf = (name) => {
    const value = env[name.toLowerCase()] || env[name];
    return value ? new URL(value) : undefined;
  };
  const secureProxy = proxyOf('HTTPS_PROXY');
  const plainProxy = proxyOf('HTTP_PROXY');
  const bypass = (env.no_proxy || env.NO_PROXY || '')
    .split(/[\s,]+/).filter(Boolean).map((h) => h.toLowerCase().replace(/^\*?\./, ''));
  const bypassed = (host) => {
    const name = String(host || '').toLowerCase().replace(/^\[|\]$/g, '');
    return bypass.some((h) => name === h || name.endsWith('.' + h));
  };
  const [major, minor] = process.versions.node.split('.').map(Number);
  const builtIn = major >= 24 || (major === 22 && minor >= 21);

  // tunnel opens a connection to options.host through the proxy with CONNECT.
  function tunnel(proxy, options, callback) {
    const port = options.port || 443;
    const host = net.isIPv6(options.host) ? `[${options.host}]` : options.host;
    const headers = { host: `${host}:${port}` };
    if (proxy.username) {
      const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
      headers['proxy-authorization'] = 'Basic ' + Buffer.from(user).toString('base64');
    }
    const request = http.request({
      host: proxy.hostname, port: proxy.port || 80, method: 'CONNECT', path: `${host}:${port}`, headers, agent: false,
    });
    request.once('connect', (response, socket, head) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        const error = new Error(`Tunnel connection failed: ${response.statusCode} ${response.statusMessage}`);
        error.code = 'ERR_PROXY_TUNNEL';
        return callback(error);
      }
      if (head.length) socket.unshift(head);
      const servername = options.servername || (net.isIP(options.host) ? undefined : options.host);
      callback(null, tls.connect({ ...options, path: undefined, socket, servername }));
    });
    request.once('error', callback);
    request.end();
  }

  class SecureAgent extends https.Agent {
    constructor(options) { super(builtIn ? { proxyEnv: env, ...options } : options); }
    createConnection(options, callback) {
      if (builtIn || !secureProxy || options.socketPath || bypassed(options.host)) {
        return super.createConnection(options, callback);
      }
      tunnel(secureProxy, options, callback);
      return undefined;
    }
  }

  class PlainAgent extends http.Agent {
    constructor(options) { super(builtIn ? { proxyEnv: env, ...options } : options); }
    addRequest(request, options, ...rest) {
      if (!builtIn && plainProxy && !options.socketPath && !bypassed(options.host)) {
        const port = options.port && options.port !== 80 ? `:${options.port}` : '';
        request.path = `http://${options.host}${port}${request.path}`;
        options = { ...options, host: plainProxy.hostname, port: plainProxy.port || 80 };
      }
      return super.addRequest(request, options, ...rest);
    }
  }

  if (secureProxy) {
    https.Agent = SecureAgent;
    https.globalAgent = new SecureAgent({ keepAlive: true, scheduling: 'lifo', timeout: 5000 });
  }
  if (plainProxy) {
    http.Agent = PlainAgent;
    http.globalAgent = new PlainAgent({ keepAlive: true, scheduling: 'lifo', timeout: 5000 });
  }
  syncBuiltinESMExports();
} catch (error) {
  process.emitWarning(`gatehouse: requests are not proxied: ${error.message}`);
}
