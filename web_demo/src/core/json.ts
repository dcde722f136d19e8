/**
 * JSON read with suspicion. Objects become `Map`s: in the file's order, and no key means anything to JavaScript. A key
 * twice, anything behind the value, and bytes that are not UTF-8 are errors.
 */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

/** The text is no JSON, or not the JSON that was asked for. */
export class JsonError extends Error {}

const MOST_DEPTH = 100;
const NUMBER = /-?(?:0|[1-9][0-9]*)((?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)/y;
const ESCAPES: ReadonlyMap<string, string> = new Map([
    ['"', '"'],
    ["\\", "\\"],
    ["/", "/"],
    ["b", "\b"],
    ["f", "\f"],
    ["n", "\n"],
    ["r", "\r"],
    ["t", "\t"],
]);
const WORDS: ReadonlyMap<string, Json> = new Map<string, Json>([
    ["true", true],
    ["false", false],
    ["null", null],
]);

/**
 * The value that UTF-8 bytes, or a text, hold; `wholeOnly` refuses every number with a fraction or an exponent.
 *
 * @throws JsonError
 */
export function parseJson(written: Uint8Array | string, wholeOnly = false): Json {
    let text = written;
    if (typeof text !== "string") {
        try {
            text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
        } catch (error) {
            throw new JsonError("it is not UTF-8", { cause: error });
        }
    }
    return new Parser(text, wholeOnly).parse();
}

class Parser {
    private at = 0;

    constructor(
        private readonly text: string,
        private readonly wholeOnly: boolean,
    ) {}

    parse(): Json {
        const value = this.value(0);
        this.space();
        if (this.at !== this.text.length) this.fail("something stands behind the value");
        return value;
    }

    private fail(what: string): never {
        throw new JsonError(`${what} at character ${this.at}`);
    }

    private space(): void {
        while (" \t\n\r".includes(this.text[this.at] ?? "x")) this.at++;
    }

    private take(c: string): void {
        if (this.text[this.at] !== c) this.fail(`no ${c}`);
        this.at++;
    }

    /** Whether `c` stands here; it is passed. */
    private passes(c: string): boolean {
        if (this.text[this.at] !== c) return false;
        this.at++;
        return true;
    }

    private value(depth: number): Json {
        if (depth > MOST_DEPTH) this.fail("too deep");
        this.space();
        const c = this.text[this.at];
        if (c === "{") return this.object(depth);
        if (c === "[") return this.list(depth);
        if (c === '"') return this.string();
        for (const [word, value] of WORDS) {
            if (this.text.startsWith(word, this.at)) {
                this.at += word.length;
                return value;
            }
        }
        return this.number();
    }

    private object(depth: number): JsonObject {
        const result = new Map<string, Json>();
        this.take("{");
        this.space();
        if (this.passes("}")) return result;
        do {
            this.space();
            const key = this.string();
            this.space();
            this.take(":");
            if (result.has(key)) this.fail("a key stands twice");
            result.set(key, this.value(depth + 1));
            this.space();
        } while (this.passes(","));
        this.take("}");
        return result;
    }

    private list(depth: number): Json[] {
        const result: Json[] = [];
        this.take("[");
        this.space();
        if (this.passes("]")) return result;
        do {
            result.push(this.value(depth + 1));
            this.space();
        } while (this.passes(","));
        this.take("]");
        return result;
    }

    private string(): string {
        this.take('"');
        let result = "";
        while (true) {
            const start = this.at;
            while (this.at < this.text.length && !'"\\'.includes(this.text[this.at]) && this.text[this.at] >= " ")
                this.at++;
            result += this.text.slice(start, this.at);
            if (this.passes('"')) return result;
            if (!this.passes("\\")) this.fail("no end of a string, or a control character");
            result += this.escape();
        }
    }

    private escape(): string {
        const c = this.text[this.at++] ?? "";
        if (c !== "u") return ESCAPES.get(c) ?? this.fail("a strange escape");
        const digits = this.text.slice(this.at, this.at + 4);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail("no \\u");
        this.at += 4;
        return String.fromCharCode(Number.parseInt(digits, 16));
    }

    private number(): number {
        NUMBER.lastIndex = this.at;
        const found = NUMBER.exec(this.text);
        if (found === null) this.fail("no value");
        if (this.wholeOnly && found[1] !== "") this.fail(`${found[0].slice(0, 20)} is no whole number`);
        this.at += found[0].length;
        return Number(found[0]) + 0; // -0 becomes 0, which is what a whole number is
    }
}

/** JSON without spaces; only the quotation mark, the backslash and control characters are escaped. */
export function compactJson(value: Json): string {
    if (typeof value === "string") return quoted(value);
    if (value instanceof Map) {
        return `{${[...value].map(([key, one]) => `${quoted(key)}:${compactJson(one)}`).join(",")}}`;
    }
    if (Array.isArray(value)) return `[${value.map(compactJson).join(",")}]`;
    return String(value);
}

function quoted(text: string): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must be escaped
    const escaped = text.replace(/["\\\u0000-\u001f]/g, (c) =>
        c < " " ? `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}` : `\\${c}`,
    );
    return `"${escaped}"`;
}

/** Whether a parsed value is an object. */
export function isObject(value: Json | undefined): value is JsonObject {
    return value instanceof Map;
}

/** Whether a parsed value is a list. */
export function isList(value: Json | undefined): value is readonly Json[] {
    return Array.isArray(value);
}

/** A value for an error's text: short, and without characters that break a line. */
export function shown(value: Json | undefined): string {
    return value === undefined ? "nothing" : compactJson(value).slice(0, 80);
}
