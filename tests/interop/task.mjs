// What the test asks for, and how it is answered: one JSON value on each side.
import { readFileSync } from 'node:fs';

export const task = JSON.parse(readFileSync(0, 'utf8'));

// The key that the client signs assertions with, if it does.
export async function clientKey() {
  const jwk = task.private_key;
  if (!jwk) return undefined;
  const use = { name: 'ECDSA', namedCurve: 'P-256' };
  return { key: await crypto.subtle.importKey('jwk', jwk, use, false, ['sign']), kid: jwk.kid };
}

export function report(done) {
  process.stdout.write(`${JSON.stringify(done)}\n`);
}

// The error code of a request that has to be refused, as the library read it.
export async function refusal(request) {
  let answer;
  try {
    answer = await request();
  } catch (error) {
    // Anything but an OAuth error is a fault of the exchange, and ends the program.
    if (typeof error.error !== 'string') throw error;
    return error.error;
  }
  throw new Error(`not refused: ${Object.keys(answer)}`);
}
