import { DESCRIPTOR_SIZE } from "../core/descriptor";
import { Gallery } from "../core/gallery";
import type { Manifest } from "../core/manifest";
import { type Pixels, picture } from "../core/pixels";
import { type Features, pack } from "../core/section";

/** Inputs for comparing and measuring: every device draws the same, and nobody's photo is needed. */

/** Something like a face: a lit oval with two eyes and a mouth before a wall with a grain. */
export function drawnFace(side: number): Pixels {
    const result = picture(side, side);
    for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
            const [u, v] = [(x + 0.5) / side - 0.5, (y + 0.5) / side - 0.5];
            const within = u * u * 6 + v * v * 4 < 0.8;
            const dark =
                Math.hypot(Math.abs(u) - 0.12, v + 0.03) < 0.04 || (Math.abs(v - 0.22) < 0.02 && Math.abs(u) < 0.1);
            const grain = ((x * 73 + y * 151) % 17) - 8;
            const light = dark ? 60 : within ? 205 - 120 * u : 120 + 60 * v;
            for (let c = 0; c < 3; c++) result.rgb[(y * side + x) * 3 + c] = light * (1 - 0.12 * c) + grain;
        }
    }
    return result;
}

/** A gallery of `count` exemplars with these features. */
export function drawnGallery(manifest: Manifest, features: Features, count: number): Gallery {
    const empty = manifest.emptyGallery();
    const stored = pack(features, manifest.section);
    const entries = Array.from({ length: count }, (_, i) => {
        const label = { photoSha256: String(i).padStart(64, "0"), quality: new Map(), pose: new Map(), name: null };
        return empty.entryOf(0, stored, new Float32Array(DESCRIPTOR_SIZE), label);
    });
    return new Gallery(empty, entries);
}
