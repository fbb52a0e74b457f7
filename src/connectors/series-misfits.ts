import type { AnyCollectionDefinition } from './define.js';
import type { CallPurpose } from './fault.js';
import type { Series } from './series.js';
import type { Transport } from './transport.js';

/** More calls than this in a row are a slip of the pen. */
const MOST_STEPS = 10;
const NAME = /^(?!key$|reference$)[A-Za-z_]\w*$/;

/** What is wrong with a write in several calls, each as ": expected …, got …", or as ".steps.1: …". */
export function misfitsOfSeries(
  transport: Transport,
  { write }: AnyCollectionDefinition,
  { steps, abort, takesKey }: Series,
  purpose: CallPurpose,
  keyParts: number | null,
): readonly string[] {
  const misfits: string[] = [];
  if (transport.kit === 'odata') return [': expected one call, since the odata kit makes none in a row, got a series'];
  if (steps.length < 2 || steps.length > MOST_STEPS)
    misfits.push(`.steps: expected 2 to ${MOST_STEPS} calls, got ${steps.length}`);
  if (write?.idempotencyKey !== undefined)
    misfits.push(
      ': expected one call beside write.idempotencyKey, since a series that is begun anew is another request, got a series',
    );
  const sending = steps.filter(({ sends }) => sends === 'fields');
  const wanted = purpose === 'delete' ? 0 : 1;
  if (sending.length !== wanted)
    misfits.push(`.steps: expected ${wanted} of them that sends the fields, got ${sending.length}`);
  if (typeof write?.guard === 'object' && steps.some(({ call, sends }) => call.guarded && sends !== 'fields'))
    misfits.push(
      '.steps: expected the version, which goes with the body, in the call that sends the fields, got another',
    );
  const known: string[] = [];
  const parts = purpose === 'create' && !takesKey ? 0 : keyParts;
  const calls = [...steps.map(({ call }, at) => ({ call, where: `.steps.${at}` })), ...abortOf(abort)];
  for (const [at, { call, where }] of calls.entries()) {
    const misfit =
      call.kit === transport.kit
        ? transport.misfitOf(call, 'step', parts, known)
        : `expected a call of the ${transport.kit} kit, got one of the ${call.kit} kit`;
    if (misfit !== null) misfits.push(`${where}: ${misfit}`);
    const kept = Object.keys(steps[at]?.keeps ?? {});
    const odd = kept.find((name) => !NAME.test(name) || known.includes(name));
    if (odd !== undefined)
      misfits.push(
        `${where}.keeps: expected names of letters and digits, each once, not key or reference, got "${odd}"`,
      );
    if (at === steps.length - 1 && kept.length > 0)
      misfits.push(`${where}.keeps: expected nothing of the last call, since none follows, got ${kept.join(', ')}`);
    known.push(...kept);
  }
  return misfits;
}

function abortOf(
  abort: Series['abort'],
): readonly { readonly call: NonNullable<Series['abort']>; readonly where: string }[] {
  return abort === null ? [] : [{ call: abort, where: '.abort' }];
}
