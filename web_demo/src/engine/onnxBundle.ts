import { BundleError } from "../core/errors";
import { decodeManifest, sha256Of } from "../core/manifest";
import type { BoothIndex } from "./boothIndex";
import type { Precision } from "./protocol";

/** Of `face_detection_yunet.onnx`, the one face detector that everything was measured with. */
export const YUNET_SHA256 = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0";

/** What the manifest says beside what is read of it with care; null where it is no JSON. */
function parsed(content: Uint8Array): { format?: unknown; tools?: { edgesr?: unknown } } | null {
    try {
        return JSON.parse(new TextDecoder().decode(content));
    } catch {
        return null;
    }
}

/** Whether a file is the manifest of a bundle, and not the `booth.json` of a web booth. */
export function isOnnxBundle(content: Uint8Array): boolean {
    return parsed(content)?.format === "edgesr-bundle";
}

/**
 * What `edgesr convert --target onnx` made, by its manifest: one network, whose files lie beside it. The face detector lies
 * anywhere, and is known by its hash.
 *
 * @throws BundleError where the manifest is damaged, another target's, or nobody said where the detector is.
 */
export async function indexOfOnnxBundle(
    content: Uint8Array<ArrayBuffer>,
    address: string,
    detector: string | null,
): Promise<BoothIndex> {
    const manifest = decodeManifest(content);
    if (manifest.target !== "onnx") {
        throw new BundleError(
            `the bundle was converted for ${manifest.target}, and a page runs ONNX graphs`,
            "edgesr convert --target onnx",
        );
    }
    if (detector === null)
        throw new BundleError("the face detector is missing", "say where face_detection_yunet.onnx is");
    const own = new URL(address).href;
    const [encode, restore] = [manifest.file("encode"), manifest.file("restore")];
    const key: Precision = manifest.precision.startsWith("fp") ? "fp32" : "int8";
    const version = parsed(content)?.tools?.edgesr;
    return {
        buildId: manifest.checkpointSha256.slice(0, 16),
        version: typeof version === "string" ? version : "",
        name: manifest.name,
        featureSpace: manifest.featureSpace,
        defaultPrecision: key,
        models: { [key]: { manifest: own, encode, restore, bytes: null } },
        detector,
        runtime: null,
        sha256: {
            ...Object.fromEntries(manifest.sha256),
            [own]: await sha256Of(content),
            [detector]: YUNET_SHA256,
        },
    };
}
