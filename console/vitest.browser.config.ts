import { defineConfig } from "vitest/config";

/** The tests in a real browser: they need the built console, the `usphere` binary and Chromium. */
export default defineConfig({
  test: { include: ["browser/**/*.test.ts"], testTimeout: 60_000, fileParallelism: false, bail: 1 },
});
