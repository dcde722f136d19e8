import { clamp, roundHalfEven } from "./rounding";

/** IEEE 754 half precision, as 16 bits. */

/** The largest finite half. */
export const LARGEST_HALF = 65504;

/** The step of the halves below 2^-14, which have no exponent of their own. */
const SMALLEST = 2 ** -24;
const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

/** The value of 16 bits. */
export function halfToFloat(half: number): number {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 0) return sign * fraction * SMALLEST;
    if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The half nearest to a finite float32, of two equally near the even one; beyond the range the largest. */
export function floatToHalf(value: number): number {
    float[0] = clamp(value, -LARGEST_HALF, LARGEST_HALF);
    const sign = (bits[0] >>> 16) & 0x8000;
    const magnitude = Math.abs(float[0]);
    if (magnitude < 2 ** -14) return sign | roundHalfEven(magnitude / SMALLEST);
    const rest = bits[0] & 0x7fffffff;
    const rounded = rest + 0xfff + ((rest >>> 13) & 1);
    return sign | ((rounded >>> 13) - (112 << 10));
}
