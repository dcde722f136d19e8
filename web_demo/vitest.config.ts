import { defineConfig } from "vitest/config";

// Vitest's list of failures calls it, and Node 20 has not got it: without, a failed test is hidden by a TypeError.
if (!("groupBy" in Map)) {
    Object.assign(Map, {
        groupBy<K, V>(values: Iterable<V>, keyOf: (value: V, index: number) => K): Map<K, V[]> {
            const groups = new Map<K, V[]>();
            let index = 0;
            for (const value of values) {
                const key = keyOf(value, index++);
                groups.set(key, [...(groups.get(key) ?? []), value]);
            }
            return groups;
        },
    });
}

export default defineConfig({
    test: {
        include: ["tests/core/**/*.test.ts", "tests/engine/**/*.test.ts"],
        environment: "node",
        testTimeout: 300_000,
    },
});
