// For what it does about Node 20.
import "./vitest.config.ts";
import { defineConfig } from "vitest/config";

/** The page in a real browser, served by `edgesr booth`: one browser and one server at a time. */
export default defineConfig({
    test: {
        include: ["tests/e2e/**/*.test.ts"],
        environment: "node",
        fileParallelism: false,
        testTimeout: 120_000,
        hookTimeout: 120_000,
    },
});
