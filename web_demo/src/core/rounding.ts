/** The nearest whole number, of two equally near the even one: numpy's `rint`. */
export function roundHalfEven(value: number): number {
    const up = Math.round(value); // half goes up
    return up - value === 0.5 && up % 2 !== 0 ? up - 1 : up;
}

/** `value` within `least` and `most`. */
export function clamp(value: number, least: number, most: number): number {
    return Math.min(Math.max(value, least), most);
}
