// What the test asks for, and how it is answered: one JSON value on each side.
import { readFileSync } from 'node:fs';

export const task = JSON.parse(readFileSync(0, 'utf8'));

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
