/** Numbers that look random and are the same every time (mulberry32). */
export function random(seed: number): () => number {
    let state = seed;
    return () => {
        state = (state + 0x6d2b79f5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
}

/** A file with some bytes changed, cut out, doubled or exchanged for what JSON is made of. */
export function damaged(file: Uint8Array, within: number, next: () => number): Uint8Array {
    const signs = new TextEncoder().encode('{}[]":,0123456789-+.eE\\u nulltruefalse\u0000\u00ff');
    let bytes = Array.from(file);
    for (let n = 1 + Math.floor(next() * 3); n > 0; n--) {
        const at = Math.floor(next() * Math.min(within, bytes.length));
        const kind = Math.floor(next() * 5);
        if (kind === 0) bytes[at] = Math.floor(next() * 256);
        else if (kind === 1) bytes[at] = signs[Math.floor(next() * signs.length)];
        else if (kind === 2) bytes.splice(at, 1 + Math.floor(next() * 8));
        else if (kind === 3) bytes.splice(at, 0, ...bytes.slice(at, at + 1 + Math.floor(next() * 40)));
        else if (next() < 0.1) bytes = bytes.slice(0, at);
        else bytes[at] ^= 1 << Math.floor(next() * 8);
    }
    return Uint8Array.from(bytes);
}

/** Bytes of a gallery up to its tensors. */
export function headerOf(content: Uint8Array<ArrayBuffer>): number {
    return 8 + Number(new DataView(content.buffer).getBigUint64(0, true));
}
