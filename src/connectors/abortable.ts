/**
 * Waits for work that others wait for too: the end of one of them does not end it.
 *
 * @param fault what is thrown when the signal aborts first
 */
export async function orAbort<T>(work: Promise<T>, signal: AbortSignal, fault: () => Error): Promise<T> {
  let stop: () => void = () => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => reject(fault());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
