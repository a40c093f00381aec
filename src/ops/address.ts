// IP addresses and blocks of them (RFC 4632 CIDR, RFC 4291 IPv6 text): allow-lists, trusted proxies, and what
// counts as one address. An IPv4-mapped IPv6 address (RFC 4291 2.5.5.2) is the IPv4 address it carries, because
// that is how a socket that listens on `::` shows IPv4 peers. pure.

export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface AddressBlock {
  readonly family: 4 | 6;
  /** The first address of the block. */
  readonly base: bigint;
  /** Leading bits that must agree. */
  readonly prefix: number;
}

const widths = { 4: 32, 6: 128 } as const;

/** Undefined when the text is no IP address. A zone (`%eth0`) is left aside. */
export function parseAddress(text: string): Address | undefined {
  const value4 = parseV4(text);
  if (value4 !== undefined) return { family: 4, value: value4 };
  const value6 = parseV6(text.replace(/%[\w.-]+$/, ''));
  if (value6 === undefined) return undefined;
  return value6 >> 32n === 0xffffn
    ? { family: 4, value: value6 & 0xffffffffn }
    : { family: 6, value: value6 };
}

/**
 * `10.0.0.0/8`, `2001:db8::/32` or one address; bits behind the prefix are cleared. Undefined when it is neither.
 */
export function parseAddressBlock(text: string): AddressBlock | undefined {
  const [host = '', bits, ...rest] = text.split('/');
  const address = host.includes('%') ? undefined : parseAddress(host);
  if (address === undefined || rest.length > 0) return undefined;
  const width = widths[address.family];
  // ::ffff:10.0.0.0/104 is 10.0.0.0/8
  const mapped = address.family === 4 && host.includes(':') ? 96 : 0;
  const prefix = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) - mapped : -1;
  return prefix < 0 || prefix > width ? undefined : blockOf(address, prefix);
}

export function blockContains(block: AddressBlock, address: Address): boolean {
  return block.family === address.family && blockOf(address, block.prefix).base === block.base;
}

/** `10.0.0.0/8`; one address is written without its prefix. */
export function formatAddressBlock({ family, base, prefix }: AddressBlock): string {
  const text = family === 4 ? formatV4(base) : formatV6(base);
  return prefix === widths[family] ? text : `${text}/${prefix}`;
}

/**
 * What counts as one peer when attempts or connections are counted: an IPv4 address, the /64 of an IPv6 address
 * (whoever has one of its addresses has them all). Text that is no address counts as itself.
 */
export function addressGroup(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) return text;
  return formatAddressBlock(blockOf(address, address.family === 4 ? 32 : 64));
}

function blockOf({ family, value }: Address, prefix: number): AddressBlock {
  const free = BigInt(widths[family] - prefix);
  return { family, base: (value >> free) << free, prefix };
}

// Decimal only and without leading zeros: 010.0.0.1 is 8.0.0.1 to some programs and 10.0.0.1 to others.
function parseV4(text: string): bigint | undefined {
  const octets = text.split('.');
  if (octets.length !== 4) return undefined;
  let value = 0n;
  for (const octet of octets) {
    if (!/^(?:0|[1-9]\d{0,2})$/.test(octet) || Number(octet) > 255) return undefined;
    value = (value << 8n) | BigInt(octet);
  }
  return value;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = [
    parseGroups(halves[0] ?? '', halves.length === 1),
    parseGroups(halves[1] ?? '', true),
  ];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  // RFC 4291 2.2: `::` stands for one or more groups of zeros.
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

// RFC 4291 2.2: the last 32 bits may be written as an IPv4 address.
function parseGroups(text: string, isLast: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    const v4 = isLast && index === parts.length - 1 ? parseV4(part) : undefined;
    if (v4 !== undefined) groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn));
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function formatV4(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join('.');
}

// RFC 5952 4.2: the longest run of two or more zero groups becomes `::`, the first one when there are several.
function formatV6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    Number((value >> BigInt(112 - index * 16)) & 0xffffn),
  );
  let [start, length] = [0, 1];
  for (let index = 0; index < 8; index++) {
    let end = index;
    while (groups[end] === 0) end++;
    if (end - index > length) [start, length] = [index, end - index];
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}
