import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { problemDocument, sendProblem, type Problem } from '../../src/download/problem.ts';

describe('a problem document', () => {
  it.each<[Problem, object]>([
    [{ status: 404 }, { type: 'about:blank', title: 'Not Found', status: 404 }],
    [
      { status: 416, detail: 'So "far".', code: 'X', headers: { 'Content-Range': 'bytes */1' } },
      { type: 'about:blank', title: 'Range Not Satisfiable', status: 416, detail: 'So "far".', code: 'X' },
    ],
  ])('of %j has the members of RFC 9457', (problem, document) => {
    expect(JSON.parse(problemDocument(problem))).toEqual(document);
  });

  it('cuts an answer that has begun, so that it cannot pass for a whole one', async () => {
    const server = createServer((_, response) => {
      response.write('begun');
      sendProblem(response, { status: 500 });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    await expect(fetch(url).then((response) => response.text())).rejects.toThrow(/terminated|fetch failed/);
  });
});
