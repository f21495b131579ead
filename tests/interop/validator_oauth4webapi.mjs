// `oauth4webapi` as the validator of a resource server (RFC 9068 section 4).
import * as oauth from 'oauth4webapi';
import { report, task } from './task.mjs';

const { issuer, algorithm, audience, foreign, token } = task;
const insecure = { [oauth.allowInsecureRequests]: true };
const name = new URL(issuer);
const discovered = await oauth.discoveryRequest(name, { algorithm: 'oauth2', ...insecure });
const server = await oauth.processDiscoveryResponse(name, discovered);

function validate(audience) {
  const request = new Request('https://api.erp.example/', {
    headers: { authorization: `Bearer ${token}` },
  });
  const options = { signingAlgorithms: [algorithm], ...insecure };
  return oauth.validateJwtAccessToken(server, request, audience, options);
}

report({
  accepted: await validate(audience),
  refused: await validate(foreign.audience).then(
    () => null,
    (error) => error.cause?.claim ?? error.code,
  ),
});
