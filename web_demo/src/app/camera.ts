import { ProblemError } from "edgesr-web/booth";

/** Larger pictures gain nothing: the booth is for small faces. */
const IDEAL = { width: { ideal: 1280 }, height: { ideal: 720 } };

export type Facing = "user" | "environment";

/** A stream of the camera. @throws ProblemError why there is none. */
export async function openCamera(facing: Facing): Promise<MediaStream> {
    if (!navigator.mediaDevices?.getUserMedia) {
        const why = window.isSecureContext ? "camera-none" : "insecure";
        throw new ProblemError(why, "this browser gives pages no camera", "choose a photo");
    }
    try {
        return await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: facing, ...IDEAL } });
    } catch (error) {
        throw cameraProblem(error);
    }
}

function cameraProblem(error: unknown): Error {
    const name = error instanceof Error ? error.name : "";
    const cause = { cause: error };
    if (["NotAllowedError", "SecurityError"].includes(name))
        return new ProblemError("camera-refused", "no permission", "allow it", cause);
    if (["NotFoundError", "OverconstrainedError"].includes(name))
        return new ProblemError("camera-none", "no camera", "choose a photo", cause);
    if (["NotReadableError", "AbortError"].includes(name))
        return new ProblemError("camera-used", "it is in use", "close the other app", cause);
    return error instanceof Error ? error : new Error(String(error));
}

export function closeCamera(stream: MediaStream | null): void {
    for (const track of stream?.getTracks() ?? []) track.stop();
}

/** What the camera shows now, without loss. */
export async function takePicture(video: HTMLVideoElement): Promise<Blob> {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new ProblemError("out-of-memory", "the picture was not kept", "close other tabs");
    return blob;
}

/** Whether there are two to switch between. */
export async function hasSeveralCameras(): Promise<boolean> {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter((device) => device.kind === "videoinput").length > 1;
}
