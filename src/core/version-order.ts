const NUMBER = /^\d{1,38}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/;

/** Is this source version certainly older than the other one? Only numbers and moments can be compared; tags tell nothing. */
export function isOlderVersion(version: string | null, than: string | null): boolean {
  if (version === null || than === null) return false;
  if (NUMBER.test(version) && NUMBER.test(than)) return BigInt(version) < BigInt(than);
  return MOMENT.test(version) && MOMENT.test(than) && Date.parse(version) < Date.parse(than);
}
