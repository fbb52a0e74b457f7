import { StartupError } from '../core/errors.js';

/** A description that cannot be used: where in it, what was expected, and what came. */
export function faultAt(address: string, place: string | number, misfit: string, cause?: unknown): StartupError {
  const where = typeof place === 'number' ? `${address}:${place}` : place === '' ? address : `${address} ${place}`;
  return new StartupError('config', `${where}: ${misfit}`, cause === undefined ? {} : { cause });
}

/** A text from outside, short and in one line, for a message. */
export function shown(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return JSON.stringify(plain.length > 80 ? `${plain.slice(0, 77)}...` : plain);
}

/** That parts of a description were not read; they lie at another host, or outside of the folder. */
export function elsewhereNote(parts: readonly string[]): readonly string[] {
  if (parts.length === 0) return [];
  const some = `${parts.slice(0, 3).join(', ')}${parts.length > 3 ? ` and ${parts.length - 3} more` : ''}`;
  return [`parts that lie elsewhere were not read, what they describe is left open: ${some}`];
}
