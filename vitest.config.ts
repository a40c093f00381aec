import { defineConfig } from 'vitest/config';

// A worker for each core; by itself vitest leaves one idle, which is half of a small machine.
const project = (name: string, include: string[], testTimeout: number) => ({
  test: { name, include, testTimeout, hookTimeout: 60_000, setupFiles: [], maxWorkers: '100%' },
});

// These mostly wait: for encoders that send at the pace of the clock, for processes, for deadlines. So two at a time, and
// no more, because a machine that is busy is late; `hostile` measures how late, so it has the machine for itself.
const waiting = (name: string, testTimeout: number, groupOrder: number, maxWorkers: number) => {
  const { test } = project(name, [`test/${name}/**/*.test.ts`], testTimeout);
  return { test: { ...test, maxWorkers, sequence: { groupOrder } } };
};

// Rooms mirror src/; the other folders are kinds of test (src/README.md, "Tests").
export default defineConfig({
  test: {
    reporters: ['default'],
    projects: [
      project('house', ['test/house/**/*.test.ts'], 30_000),
      {
        test: {
          ...project('unit', ['test/**/*.test.ts'], 20_000).test,
          exclude: ['test/{house,e2e,interop,hostile}/**'],
        },
      },
      waiting('e2e', 60_000, 1, 2),
      waiting('hostile', 120_000, 2, 1),
      waiting('interop', 120_000, 1, 2),
    ],
  },
});
