/** A picture's values [height, width, 3] in row-major order: bytes of a photo, or floats of what is made of one. */
export interface Samples {
    readonly width: number;
    readonly height: number;
    readonly values: Uint8Array | Float32Array;
}

/** Values of a picture between its pixels: bilinear or cubic (Keys, a = -0.5), mirrored beyond the edges. */
export class Sampler {
    private readonly wx: Float64Array;
    private readonly wy: Float64Array;
    /** Places of the columns' first values in a row. */
    private readonly columns: Int32Array;

    constructor(
        private readonly source: Samples,
        cubic: boolean,
    ) {
        const count = cubic ? 4 : 2;
        this.wx = new Float64Array(count);
        this.wy = new Float64Array(count);
        this.columns = new Int32Array(count);
    }

    /** Add the three values at pixel index (x, y), where whole numbers are pixel centres, to `sums`. */
    add(x: number, y: number, sums: Float64Array): void {
        const { wx, wy, columns } = this;
        const { width, height, values } = this.source;
        const count = wx.length;
        const left = Math.floor(x);
        const top = Math.floor(y);
        weights(x - left, wx);
        weights(y - top, wy);
        for (let i = 0; i < count; i++) columns[i] = 3 * mirror(left + 1 - count / 2 + i, width);
        let [red, green, blue] = [sums[0], sums[1], sums[2]];
        for (let j = 0; j < count; j++) {
            const row = 3 * width * mirror(top + 1 - count / 2 + j, height);
            const down = wy[j];
            for (let i = 0; i < count; i++) {
                const weight = wx[i] * down;
                const at = row + columns[i];
                red += weight * values[at];
                green += weight * values[at + 1];
                blue += weight * values[at + 2];
            }
        }
        sums[0] = red;
        sums[1] = green;
        sums[2] = blue;
    }
}

function weights(t: number, into: Float64Array): void {
    if (into.length === 2) {
        into[0] = 1 - t;
        into[1] = t;
        return;
    }
    into[0] = ((-0.5 * t + 1) * t - 0.5) * t;
    into[1] = (1.5 * t - 2.5) * t * t + 1;
    into[2] = ((-1.5 * t + 2) * t + 0.5) * t;
    into[3] = (0.5 * t - 0.5) * t * t;
}

/** Index into a row of `count` pixels that is mirrored at its edges: ... c b a | a b c | c b a ... */
export function mirror(index: number, count: number): number {
    if (index >= 0 && index < count) return index;
    const period = 2 * count;
    const i = ((index % period) + period) % period;
    return i < count ? i : period - 1 - i;
}
