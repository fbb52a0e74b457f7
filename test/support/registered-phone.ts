import { GraphQLClient } from 'graphql-request';
import type { Platform } from '../../src/core/device-port.js';

/** Registers a device for hints, as its app does. @param bearer what its user signs in with */
export async function registerPhone(
  url: string,
  phone: { readonly bearer: string; readonly device: string; readonly platform: Platform; readonly token: string },
): Promise<void> {
  const { bearer, device, platform, token } = phone;
  const headers = { authorization: `Bearer ${bearer}`, 'tidegate-device': device };
  const mutation =
    'mutation ($platform: Platform!, $token: String!) { registerDevice(platform: $platform, token: $token) { id } }';
  await new GraphQLClient(`${url}/graphql`, { headers }).request(mutation, { platform, token });
}
