// An authorization server that nobody here wrote, with one confidential client per tenant.
//
// Listens on a port of the system's choice on 127.0.0.1, prints one line of JSON when it is ready,
// and stops on SIGTERM or when its standard input closes, so it does not outlive a test that dies.
//
// The line: {"issuer": …, "algorithms": […], "clients": [{"tenant", "client_id", "client_secret",
// "resource", "scope"}, …]}
//
// For each line `rotate` on its standard input it makes new keys, signs with them, publishes the
// last ones beside them, and prints {"rotated": generation}.

import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import { Provider, errors } from 'oidc-provider';

const API = 'https://api.erp.example';

// An algorithm each: one issuer whose key set holds keys of two types.
const TENANTS = [
  { tenant: 'tenant1', algorithm: 'ES256' },
  { tenant: 'tenant2', algorithm: 'RS256' },
];

const KEYS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
};

const algorithms = TENANTS.map(({ algorithm }) => algorithm);

const clients = TENANTS.map(({ tenant, algorithm }) => ({
  tenant,
  algorithm,
  client_id: `journal-sync-${tenant}`,
  client_secret: `${tenant}-secret-of-the-test`,
  resource: `${API}/${tenant}`,
  scope: ['finance.write', 'journal.create', 'journal.read']
    .map((scope) => `${tenant}.${scope}`)
    .join(' '),
}));

const registered = (client) => clients.find(({ client_id }) => client_id === client.clientId);

// What RFC 8707 leaves to the authorization server: which resources a client may ask for.
async function getResourceServerInfo(_ctx, resource, client) {
  const { resource: own, scope, algorithm } = registered(client);
  if (resource !== own) {
    throw new errors.InvalidTarget();
  }
  return {
    scope,
    audience: own,
    accessTokenFormat: 'jwt',
    accessTokenTTL: 300,
    jwt: { sign: { alg: algorithm } },
  };
}

// The newest are first, and signed with.
const generations = [];

function makeKeys() {
  const generation = generations.length + 1;
  generations.unshift(
    algorithms.map((alg) => ({
      ...KEYS[alg]().privateKey.export({ format: 'jwk' }),
      alg,
      kid: `${alg.toLowerCase()}-${generation}`,
      use: 'sig',
    })),
  );
  return generation;
}

const configuration = () => ({
  jwks: { keys: generations.slice(0, 2).flat() },
  clients: clients.map(({ tenant, client_id, client_secret, scope }) => ({
    client_id,
    client_secret,
    scope,
    tenant_id: tenant,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  })),
  extraClientMetadata: { properties: ['tenant_id'] },
  extraTokenClaims: (_ctx, token) => ({ tenant_id: token.client.tenant_id }),
  scopes: clients.flatMap(({ scope }) => scope.split(' ')),
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: { enabled: true, getResourceServerInfo },
  },
});

const server = createServer();

function stop() {
  server.close(() => process.exit(0));
  server.closeAllConnections();
}

process.once('SIGTERM', stop);
process.stdin.once('close', stop).once('error', stop);

server.listen(0, '127.0.0.1');
await once(server, 'listening');

// The issuer names the port, so the provider can only be made once there is one.
const issuer = `http://127.0.0.1:${server.address().port}`;

let answer;
server.on('request', (request, response) => answer(request, response));

// A provider's keys are those that it was made with.
function startProvider() {
  const generation = makeKeys();
  const provider = new Provider(issuer, configuration());
  provider.on('server_error', (_ctx, error) => console.error(error));
  answer = provider.callback();
  return generation;
}

startProvider();
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'rotate') {
    console.log(JSON.stringify({ rotated: startProvider() }));
  }
});

console.log(
  JSON.stringify({
    issuer,
    algorithms,
    clients: clients.map(({ algorithm: _, ...client }) => client),
  }),
);
