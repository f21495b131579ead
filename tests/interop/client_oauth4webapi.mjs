// What `oauth4webapi` does with the issuer that standard input describes; README.md has the shape.
import * as oauth from 'oauth4webapi';
import { clientKey, refusal, report, task } from './task.mjs';

const { issuer, client_id, client_secret, parameters, target, audience, scope, foreign } = task;
const key = await clientKey();
const proof = key ? oauth.PrivateKeyJwt(key) : oauth.ClientSecretBasic(client_secret);

const insecure = { [oauth.allowInsecureRequests]: true };
const name = new URL(issuer);
const discovered = await oauth.discoveryRequest(name, { algorithm: 'oauth2', ...insecure });
const server = await oauth.processDiscoveryResponse(name, discovered);
const client = { client_id };
const options = { additionalParameters: parameters, ...insecure };

async function ask(more) {
  const form = { ...parameters, ...more };
  const answer = await oauth.clientCredentialsGrantRequest(server, client, proof, form, insecure);
  return oauth.processClientCredentialsResponse(server, client, answer);
}
async function renew(token) {
  const answer = await oauth.refreshTokenGrantRequest(server, client, proof, token, options);
  return oauth.processRefreshTokenResponse(server, client, answer);
}
async function introspect(token) {
  const answer = await oauth.introspectionRequest(server, client, proof, token, options);
  return oauth.processIntrospectionResponse(server, client, answer);
}
async function revoke(token) {
  const answer = await oauth.revocationRequest(server, client, proof, token, options);
  return oauth.processRevocationResponse(answer);
}

const obtained = await ask({ [target]: audience, scope });
const renewed = await renew(obtained.refresh_token);
const introspected = await introspect(renewed.access_token);
await revoke(renewed.access_token);
const revoked = await introspect(renewed.access_token);
await revoke(renewed.refresh_token);
report({
  obtained,
  renewed,
  introspected,
  revoked,
  renewal: await refusal(() => renew(renewed.refresh_token)),
  foreign_audience: await refusal(() => ask({ [target]: foreign.audience, scope })),
  foreign_scope: await refusal(() => ask({ [target]: audience, scope: foreign.scope })),
});
