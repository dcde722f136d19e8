import { BundleError } from "./errors";
import { isList, isObject, type Json, JsonError, parseJson } from "./json";

/** A float32 array with its shape. */
export interface NamedArray {
    readonly shape: readonly number[];
    readonly values: Float32Array;
}

/**
 * The F32 arrays of a safetensors file, by name: golden vectors. Other dtypes are left out.
 *
 * @throws BundleError where the bytes are no such file.
 */
export function decodeSafetensors(content: Uint8Array): Map<string, NamedArray> {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const length = content.length < 8 ? -1 : Number(view.getBigUint64(0, true));
    if (length < 2 || 8 + length > content.length) refuse("it is cut off");
    let fields: Json;
    try {
        fields = parseJson(content.subarray(8, 8 + length));
    } catch (error) {
        if (!(error instanceof JsonError)) throw error;
        refuse(error.message);
    }
    if (!isObject(fields)) refuse("its header is no object");
    const result = new Map<string, NamedArray>();
    for (const [name, tensor] of fields) {
        if (!isObject(tensor)) refuse(`${name} is not described`);
        if (name === "__metadata__" || tensor.get("dtype") !== "F32") continue;
        const [shape, offsets] = [tensor.get("shape"), tensor.get("data_offsets")];
        if (!isCounts(shape) || !isCounts(offsets) || offsets.length !== 2) refuse(`${name} is not described`);
        const [first, end] = offsets;
        const count = shape.reduce((product, n) => product * n, 1);
        if (end - first !== 4 * count || 8 + length + end > content.length) refuse(`${name} lies outside`);
        const start = 8 + length + first;
        const values = Float32Array.from({ length: count }, (_, i) => view.getFloat32(start + 4 * i, true));
        result.set(name, { shape, values });
    }
    return result;
}

function refuse(what: string): never {
    throw new BundleError(`this is no safetensors file: ${what.slice(0, 100)}`, "convert it again");
}

function isCounts(value: Json | undefined): value is readonly number[] {
    return isList(value) && value.every((one) => typeof one === "number" && Number.isInteger(one) && one >= 0);
}
