// What attacks need: tokens of the issuer that the gateway believes, and a gateway that believes it.
import { SignJWT } from 'jose';
import type { TestGateway } from '../support/gateway.js';
import { OutsideClient } from '../support/outside-client.js';

export const JWT_SECRET = 'a secret that the gateway and its issuer share';
/** Lines of the configuration. */
export const JWT_MODE = `auth: { mode: jwt, jwt: { secret: "${JWT_SECRET}" } }`;

export interface Claims {
  readonly groups?: readonly string[];
  /** Epoch seconds, or a time from now such as `1h`. */
  readonly expires?: number | string;
}

export function tokenOf(person: string, { groups = [], expires = '1h' }: Claims = {}): Promise<string> {
  const claims = new SignJWT({ groups }).setProtectedHeader({ alg: 'HS256' }).setSubject(person).setIssuedAt();
  return claims.setExpirationTime(expires).sign(new TextEncoder().encode(JWT_SECRET));
}

export async function clientOf(gateway: TestGateway, person: string, claims: Claims = {}): Promise<OutsideClient> {
  return new OutsideClient(gateway, { token: await tokenOf(person, claims) });
}
