// For what another process does in its own time: asks again until there is an answer. Nothing here waits for a
// timer of ours; those are turned by hand (fake-clock.ts).

/** Milliseconds: longer than anything that is waited for takes on a loaded machine. */
const patience = 20_000;
const pause = 50;

/** The first answer of `ask` that is not undefined. */
export async function eventually<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined>,
): Promise<Answer> {
  const end = performance.now() + patience;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() > end) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
