import type { Affine } from "./alignment";
import { type Pixels, picture } from "./pixels";
import { roundHalfEven } from "./rounding";
import { mirror } from "./sampler";

/**
 * A square of `size` pixels, each taken bilinearly from where `map` takes its index, as OpenCV's warpAffine with
 * INTER_LINEAR: in float32, since a level rounded otherwise can move a landmark by half a pixel. Mirrored at the edges.
 */
export function warpLinear(image: Pixels, map: Affine, size: number): Pixels {
    const { width, height, rgb } = image;
    const [a, b, c, d, e, f] = [map.a, map.b, map.c, map.d, map.e, map.f].map(Math.fround);
    const result = picture(size, size);
    for (let y = 0; y < size; y++) {
        const startX = Math.fround(Math.fround(y * b) + c);
        const startY = Math.fround(Math.fround(y * e) + f);
        for (let x = 0; x < size; x++) {
            const sx = Math.fround(x * a + startX); // one rounding: OpenCV's multiplication and addition are one step
            const sy = Math.fround(x * d + startY);
            const left = Math.floor(sx);
            const top = Math.floor(sy);
            const across = Math.fround(sx - left);
            const down = Math.fround(sy - top);
            const first = mirror(left, width);
            const second = mirror(left + 1, width);
            const upper = mirror(top, height) * width;
            const lower = mirror(top + 1, height) * width;
            for (let i = 0; i < 3; i++) {
                const above = mix(rgb[3 * (upper + first) + i], rgb[3 * (upper + second) + i], across);
                const below = mix(rgb[3 * (lower + first) + i], rgb[3 * (lower + second) + i], across);
                result.rgb[(y * size + x) * 3 + i] = roundHalfEven(mix(above, below, down));
            }
        }
    }
    return result;
}

function mix(one: number, other: number, share: number): number {
    return Math.fround(one + Math.fround(share * Math.fround(other - one)));
}
