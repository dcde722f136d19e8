import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RULES } from "../../src/core/rules";

test("the rules are those that Python wrote down", () => {
    const written = join(import.meta.dirname, "..", "..", "..", "spec", "rules.json");
    expect(RULES).toEqual(JSON.parse(readFileSync(written, "utf-8")));
});
