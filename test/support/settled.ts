// Lets everything run that waits for nothing but its turn (promises; node:sqlite answers at once).
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
