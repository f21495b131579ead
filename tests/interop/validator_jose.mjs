// `jose` as the validator of a resource server (RFC 9068 section 4).
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { report, task } from './task.mjs';

const { issuer, jwks_uri, algorithm, audience, foreign, token } = task;
const keys = createRemoteJWKSet(new URL(jwks_uri));

async function validate(audience) {
  const { payload } = await jwtVerify(token, keys, {
    issuer,
    audience,
    algorithms: [algorithm],
    typ: 'at+jwt',
    requiredClaims: ['exp', 'sub', 'client_id', 'iat', 'jti'],
  });
  return payload;
}

report({
  accepted: await validate(audience),
  refused: await validate(foreign.audience).then(
    () => null,
    (error) => error.claim ?? error.code,
  ),
});
