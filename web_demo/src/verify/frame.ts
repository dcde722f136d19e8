/** What a frame says about the tensors that follow it. */
export interface Header {
    /** Of a job: which file to run, and how often to time it after the first run. */
    model?: string;
    runs?: number;
    inputs?: Described[];
    outputs?: Described[];
    milliseconds?: number[];
    error?: string;
    [further: string]: unknown;
}

export interface Described {
    name: string;
    shape: number[];
}

export interface Frame {
    header: Header;
    /** Float32 values of the header's tensors, in their order. */
    tensors: Float32Array[];
}

const WORD = 4;

/** Reads a frame: length of the header in bytes (uint32, little-endian, a multiple of 4), JSON, float32 values. */
export function readFrame(content: ArrayBuffer): Frame {
    const length = new DataView(content).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(content, WORD, length))) as Header;
    let offset = WORD + length;
    const tensors = (header.inputs ?? header.outputs ?? []).map(({ shape }) => {
        const values = new Float32Array(content, offset, count(shape));
        offset += values.byteLength;
        return values;
    });
    return { header, tensors };
}

/** Writes a frame; the header is filled with blanks to a multiple of 4 bytes, so that values are aligned. */
export function writeFrame(header: Header, tensors: Float32Array[] = []): Blob {
    let text = JSON.stringify(header);
    const unfilled = new TextEncoder().encode(text).length % WORD;
    text += " ".repeat(unfilled === 0 ? 0 : WORD - unfilled);
    const bytes = new TextEncoder().encode(text);
    const length = new DataView(new ArrayBuffer(WORD));
    length.setUint32(0, bytes.length, true);
    return new Blob([length, bytes, ...(tensors as Float32Array<ArrayBuffer>[])]);
}

function count(shape: number[]): number {
    return shape.reduce((product, side) => product * side, 1);
}
