import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Admission, type Entry } from '../../src/door/admission.ts';

const wide = { connections: 1000, connectionsPerAddress: 1000, handshakes: 1000, handshakesPerAddress: 1000 };

/** How many come in from these addresses, one after the other. */
function enterAll(admission: Admission, addresses: readonly string[]): Entry[] {
  return addresses.map((address) => admission.enter(address)).filter((entry) => entry !== undefined);
}
const many = (count: number, address: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => address(i));

describe('limits', () => {
  it('hold for all connections', () => {
    const admission = new Admission({ ...wide, connections: 3 });
    expect(
      enterAll(
        admission,
        many(5, (i) => `192.0.2.${i}`),
      ),
    ).toHaveLength(3);
  });

  it('hold for one address, and others come in', () => {
    const admission = new Admission({ ...wide, connectionsPerAddress: 2 });
    expect(
      enterAll(
        admission,
        many(5, () => '192.0.2.1'),
      ),
    ).toHaveLength(2);
    expect(enterAll(admission, ['192.0.2.2'])).toHaveLength(1);
  });

  it('hold for strangers, until one shows a key', () => {
    const admission = new Admission({ ...wide, handshakes: 2 });
    const [first] = enterAll(
      admission,
      many(5, (i) => `192.0.2.${i}`),
    );
    first!.admit();
    expect(enterAll(admission, ['198.51.100.1', '198.51.100.2'])).toHaveLength(1);
  });

  it('hold for strangers of one address: publishers from there do not count', () => {
    const admission = new Admission({ ...wide, handshakesPerAddress: 2 });
    for (const entry of enterAll(
      admission,
      many(2, () => '192.0.2.1'),
    ))
      entry.admit();
    expect(
      enterAll(
        admission,
        many(5, () => '192.0.2.1'),
      ),
    ).toHaveLength(2);
  });

  it('take a /64 of IPv6 for one address, and IPv4 in IPv6 for IPv4', () => {
    const admission = new Admission({ ...wide, connectionsPerAddress: 2 });
    expect(
      enterAll(
        admission,
        many(5, (i) => `2001:db8:0:1::${i}`),
      ),
    ).toHaveLength(2);
    expect(enterAll(admission, ['2001:db8:0:1:ffff:ffff:ffff:ffff'])).toHaveLength(0);
    expect(enterAll(admission, ['2001:db8:0:2::1'])).toHaveLength(1);
    expect(enterAll(admission, ['192.0.2.1', '::ffff:192.0.2.1', '::ffff:192.0.2.1'])).toHaveLength(2);
  });
});

describe('an entry', () => {
  it('is given back once, however often it is left or admitted, in any order', () => {
    const admission = new Admission({ ...wide, connections: 2, handshakes: 2 });
    const [first, second] = enterAll(admission, ['192.0.2.1', '192.0.2.1']);
    first!.leave();
    first!.leave();
    first!.admit();
    expect(enterAll(admission, ['192.0.2.1', '192.0.2.1'])).toHaveLength(1);
    second!.admit();
    second!.admit();
    second!.leave();
    second!.leave();
    expect(enterAll(admission, ['192.0.2.1', '192.0.2.1'])).toHaveLength(1);
  });

  it('leaves nothing behind in any history', () => {
    const step = fc.record({ action: fc.constantFrom('enter', 'admit', 'leave'), which: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const limits = { connections: 6, connectionsPerAddress: 3, handshakes: 4, handshakesPerAddress: 2 };
        const admission = new Admission(limits);
        const inside: Entry[] = [];
        for (const { action, which } of steps) {
          const entry = inside[which % Math.max(1, inside.length)];
          if (action === 'enter') inside.push(...enterAll(admission, [`192.0.2.${which % 3}`]));
          else if (action === 'admit') entry?.admit();
          else entry?.leave();
        }
        for (const entry of inside) entry.leave();
        // As empty as on the first day: 2 strangers of each address, 4 in all.
        expect(
          enterAll(
            admission,
            many(9, (index) => `192.0.2.${index % 3}`),
          ),
        ).toHaveLength(4);
      }),
      { seed: 20261122, numRuns: 200 },
    );
  });
});
