// Makes a key for a client that authenticates with private_key_jwt, and reports it as a private JWK.
import { exportJWK, generateKeyPair } from 'jose';
import { report } from './task.mjs';

const { privateKey } = await generateKeyPair('ES256', { extractable: true });
report({ ...(await exportJWK(privateKey)), alg: 'ES256', kid: 'client' });
