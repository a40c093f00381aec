// Lists in pages: `?limit=` and `?cursor=`, answered as `{ items, nextCursor }`. A cursor is opaque to clients
// and names the last entry of a page, so what is added or removed elsewhere moves nothing. pure.
import { SetupError } from '../errors.ts';
import { consoleLimits } from './console-limits.ts';

export interface PageRequest {
  readonly limit: number;
  /** What encodeCursor() was given; undefined for the first page. */
  readonly after: string | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly nextCursor: string | null;
}

const defaultLimit = 100;

/** Throws SetupError ARGUMENT_INVALID. */
export function readPageRequest(query: (name: string) => string | undefined): PageRequest {
  const limit = query('limit') ?? String(defaultLimit);
  if (!/^\d{1,6}$/.test(limit) || Number(limit) < 1 || Number(limit) > consoleLimits.pageSize) {
    throw new SetupError('ARGUMENT_INVALID', `limit must be a number from 1 to ${consoleLimits.pageSize}.`);
  }
  const cursor = query('cursor');
  return { limit: Number(limit), after: cursor === undefined ? undefined : decodeCursor(cursor) };
}

/** `found` may hold one entry more than the limit, which shows that there is a next page. */
export function toPage<Item>(
  found: readonly Item[],
  limit: number,
  keyOf: (item: Item) => string,
): Page<Item> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
}

/** One page of a list that is short enough to be made whole; it must be in the order of its keys, or keep all entries. */
export function pageOf<Item>(
  list: readonly Item[],
  { limit, after }: PageRequest,
  keyOf: (item: Item) => string,
): Page<Item> {
  let start = 0;
  if (after !== undefined) {
    const last = list.findIndex((item) => keyOf(item) === after);
    // The entry is gone: go on behind its place.
    const next = last === -1 ? list.findIndex((item) => keyOf(item) > after) : last + 1;
    start = next === -1 ? list.length : next;
  }
  return toPage(list.slice(start, start + limit + 1), limit, keyOf);
}

export function cursorInvalid(): SetupError {
  return new SetupError('ARGUMENT_INVALID', 'cursor must be the nextCursor of the page before.');
}

function encodeCursor(key: string): string {
  return Buffer.from(key, 'utf8').toString('base64url');
}

function decodeCursor(cursor: string): string {
  if (!/^[A-Za-z0-9_-]{1,256}$/.test(cursor)) throw cursorInvalid();
  return Buffer.from(cursor, 'base64url').toString('utf8');
}
