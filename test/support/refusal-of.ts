// The code with which a parser refuses, or undefined when it does not. Anything but a ProtocolError is a bug and
// is thrown on.
import { ProtocolError } from '../../src/errors.ts';

export function refusalOf(work: () => unknown): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}
