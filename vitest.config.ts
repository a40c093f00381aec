import { defineConfig } from 'vitest/config';

const project = (name: string, include: string[], testTimeout: number) => ({
  test: { name, include, testTimeout, hookTimeout: 60_000, setupFiles: [] },
});

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
      project('e2e', ['test/e2e/**/*.test.ts'], 60_000),
      project('hostile', ['test/hostile/**/*.test.ts'], 120_000),
      project('interop', ['test/interop/**/*.test.ts'], 120_000),
    ],
  },
});
