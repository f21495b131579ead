// What `openid-client` does with the issuer that standard input describes; README.md has the shape.
import * as oauth from 'openid-client';
import { clientKey, refusal, report, task } from './task.mjs';

const { issuer, client_id, client_secret, parameters, target, audience, scope, foreign } = task;
const key = await clientKey();
const proof = key ? oauth.PrivateKeyJwt(key) : oauth.ClientSecretBasic(client_secret);

const config = await oauth.discovery(
  new URL(issuer),
  client_id,
  undefined,
  proof,
  { algorithm: 'oauth2', execute: [oauth.allowInsecureRequests] },
);
const ask = (more) => oauth.clientCredentialsGrant(config, { ...parameters, ...more });
const renew = (token) => oauth.refreshTokenGrant(config, token, parameters);
const introspect = (token) => oauth.tokenIntrospection(config, token, parameters);
const revoke = (token) => oauth.tokenRevocation(config, token, parameters);

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
