import { resizeLevels } from "../core/bicubic";
import { CONTRAST, GRID, luma, MEAN } from "../core/descriptor";
import { jet } from "../core/heatmap";
import { fromUnit, type Pixels, picture } from "../core/pixels";

/** Pictures that explain: heatmaps of exemplars, and what a stored description amounts to. */

const OPACITY = 0.5;

/**
 * Exemplar `n`'s share of all weights [slots, side, side] over the `face`, blue to red; and its mean. `used` slots hold
 * exemplars.
 */
export function heatmap(
    face: Pixels,
    weights: Float32Array,
    n: number,
    side: number,
    used: number,
): { map: Pixels; share: number } {
    const count = side * side;
    const shares = new Float32Array(count);
    for (let i = 0; i < count; i++) {
        let total = 0;
        for (let k = 0; k < used; k++) total += weights[k * count + i];
        shares[i] = total > 1e-6 ? weights[n * count + i] / total : 0;
    }
    const large = resizeLevels(shares, side, side, face.width, face.height, 1);
    const map = picture(face.width, face.height);
    for (let i = 0; i < large.length; i++) {
        const light = luma(face.rgb[3 * i], face.rgb[3 * i + 1], face.rgb[3 * i + 2]);
        const colour = jet(large[i]);
        for (let c = 0; c < 3; c++) {
            map.rgb[3 * i + c] = (1 - OPACITY) * light + OPACITY * colour[c] * 255;
        }
    }
    return { map, share: shares.reduce((sum, part) => sum + part, 0) / count };
}

const CHROMA = 4;

/** The picture that a descriptor amounts to: 16 x 16 cells of light, 4 x 4 of colour. */
export function remembered(descriptor: Float32Array): Pixels {
    const colours = new Float32Array(CHROMA * CHROMA * 2);
    for (let i = 0; i < CHROMA * CHROMA; i++) {
        colours[2 * i] = descriptor[CONTRAST + 1 + i];
        colours[2 * i + 1] = descriptor[CONTRAST + 1 + CHROMA * CHROMA + i];
    }
    const tint = resizeLevels(colours, CHROMA, CHROMA, GRID, GRID, 2);
    const unit = new Float32Array(GRID * GRID * 3);
    for (let i = 0; i < GRID * GRID; i++) {
        const light = descriptor[i] * descriptor[CONTRAST] + descriptor[MEAN];
        const [red, blue] = [tint[2 * i], tint[2 * i + 1]];
        unit[3 * i] = light + red;
        unit[3 * i + 1] = light - (0.299 * red + 0.114 * blue) / 0.587;
        unit[3 * i + 2] = light + blue;
    }
    return fromUnit(GRID, GRID, unit);
}
