/** Pages of 2,500 changes are 1.4 MB; what is larger is rare, and gets memory of its own. */
const MAX_KEPT_BYTES = 2 * 1024 * 1024;
/** As many pages as zlib's threads compress at once, unless there are more threads than usual. */
const MAX_KEPT = 4;

const kept: Buffer[] = [];

/**
 * Lends these pieces as one, in memory that the next one gets, too: a new half of a megabyte for each page costs more to be had from the
 * system than to be filled (0.45 ms), and has to be collected again. At most 8 MB are kept.
 *
 * @param use must not keep the bytes beyond its promise
 */
export async function withScratch<T>(
  pieces: readonly Uint8Array[],
  size: number,
  use: (whole: Uint8Array) => Promise<T>,
): Promise<T> {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return use(only);
  const memory = take(size);
  let at = 0;
  for (const piece of pieces) {
    memory.set(piece, at);
    at += piece.length;
  }
  const result = await use(memory.subarray(0, size));
  // Not where it failed: something may still read it.
  if (memory.length <= MAX_KEPT_BYTES && kept.length < MAX_KEPT) kept.push(memory);
  return result;
}

/** The one that was used last is warm; one that is too small makes room for one that is not. */
function take(size: number): Buffer {
  const memory = kept.pop();
  return memory !== undefined && memory.length >= size ? memory : Buffer.allocUnsafeSlow(roomFor(size));
}

/** Sizes differ a little from page to page: the next one is to fit, too. */
function roomFor(size: number): number {
  return Math.max(256 * 1024, 2 ** Math.ceil(Math.log2(size)));
}
