import type { Problem } from "../engine/problems";
import type { Refusal } from "../engine/protocol";

/** Everything that the page says, in one place: the Android booth's words where both say the same. */

const plural = (n: number, one: string, other: string) => (n === 1 ? one : other).replace("#", String(n));

export const words = {
    appName: "edgesr booth",
    skip: "Skip to the content",
    home: {
        title: "Tiny face in, sharp face out",
        text: "With the person’s own features, from photos that you choose. All of it happens in this browser.",
        art: "A face, coarse on the left and clear on the right",
        take: "Take a photo",
        choose: "Choose a photo",
        drop: "or drop one anywhere on this page",
        galleryCard: "Photos to learn from",
        galleryNone: "None yet. Two or three sharp ones are enough.",
        galleryCount: (n: number) => plural(n, "1 photo is remembered", "# photos are remembered"),
        galleryProblem: "Something is wrong with them. Have a look.",
        about: "About and measurements",
        offlineReady: "Works offline",
        dropHere: "Drop the photo to restore a face in it",
    },
    onboarding: {
        title: "Before you start",
        keepsTitle: "What is kept",
        keeps: "Numbers that describe the faces in the photos you pick, so that other photos of the same person can be restored. Among them how light each face is, in 8 by 8 cells. Not the photos. They are biometric data: add other people only if they agree.",
        whereTitle: "Where",
        where: "In this browser’s storage for this page, on this device. The page fetches its own parts and sends nothing: no photo and no number leaves the browser. A photo that you restore is forgotten when you close the page.",
        deleteTitle: "How to undo it",
        delete: "“Delete everything” on the gallery screen deletes all of it at once, with the copy of this page that works offline.",
        accept: "I agree",
    },
    gallery: {
        title: "Photos to learn from",
        text: "This is how each photo is remembered: the picture is what the stored description amounts to, and the photo itself is not kept.",
        add: "Add photos",
        drop: "Drop photos here",
        dropHint: "or choose them: JPEG, PNG, WebP, and HEIC where the browser reads it",
        emptyTitle: "Nothing learned yet",
        emptyText:
            "Choose two or three sharp photos of one person, of different days if you can. Faces should fill a good part of them.",
        list: "Remembered photos",
        photoN: (n: number) => `Photo ${n}`,
        sharp: (percent: number) => `Sharp ${percent} %`,
        forget: (n: number) => `Forget photo ${n}`,
        refused: "Not used",
        adding: (done: number, total: number) => `Looking at photo ${done} of ${total}`,
        added: (n: number) => plural(n, "1 photo was added", "# photos were added"),
        stop: "Stop",
        export: "Save as a file",
        import: "Open a file",
        fileHint: "A .gallery file works in every edgesr: here, on the phone, and with edgesr enhance.",
        passing:
            "This browser keeps nothing for this page: what you add lasts until you close it. Save it as a file to keep it.",
        whoseTitle: "Who is it?",
        whoseText: (name: string, n: number) => `${name} shows ${n} people. Choose the one to learn from.`,
        whoseSkip: "Leave this photo out",
    },
    wipe: {
        action: "Delete everything",
        title: "Delete everything?",
        text: (n: number) =>
            n === 0
                ? "Your settings and the copy of this page that works offline are deleted. Your own photos stay where they are."
                : `All that was learned from ${plural(n, "1 photo", "# photos")} is deleted, with your settings and the copy of this page that works offline. Your own photos stay where they are.`,
        doneTitle: "Everything is deleted",
        doneText: "This browser keeps nothing of the booth any more. Close the page, or start again.",
        again: "Start again",
    },
    remove: {
        title: "Forget this photo?",
        text: "What was learned from it is deleted. The photo itself stays where it is.",
    },
    import: {
        title: "Replace your gallery?",
        text: (n: number) => `The file takes the place of what was learned from ${plural(n, "1 photo", "# photos")}.`,
        action: "Replace",
    },
    delete: "Delete",
    cancel: "Cancel",
    back: "Back",
    toStart: "Back to the start",
    details: "Details",
    tryAgain: "Try again",
    camera: {
        title: "Step back a little",
        text: "The booth is for faces that come out small.",
        shutter: "Take the photo",
        flip: "Switch between front and back camera",
        view: "What the camera sees",
        starting: "Starting the camera",
    },
    result: {
        title: "Result",
        looking: "Looking for faces",
        lookingCloser: "Looking for smaller faces",
        network: "Getting the network ready",
        restoring: "Restoring",
        saving: "Saving",
        whoTitle: "Whose face?",
        whoText: (n: number) =>
            `${plural(n, "One face is", "# faces are")} in this photo. Choose the one that your photos show.`,
        faceN: (n: number) => `Face ${n}`,
        closer: "Look for smaller faces",
        faces: "Faces in this photo",
        view: "What is shown",
        face: "Face",
        photo: "Photo",
        why: "Why",
        before: "Before",
        after: "After",
        compare: "Before and after",
        strength: "Strength",
        network8: "Network",
        int8: "int8",
        fp32: "float",
        only: (name: string) => `Only the ${name} network is in this booth.`,
        latency: (ms: string) => `${ms} ms here`,
        latencyLong: (runtime: string, runs: number) => `${runtime}, median of ${plural(runs, "1 run", "# runs")}`,
        usedNone: "Restored without photos of this person. Add some to bring back their own features.",
        used: (n: number) =>
            plural(n, "With the features of 1 photo of yours.", "With the features of # photos of yours."),
        doubted: (percent: number) => `Your photos count ${percent} % here: more of them would contradict this photo.`,
        large: "This face is large in the photo already, so there was little to add.",
        reduced: (n: number) => `The photo is very large: it came in at ${n === 2 ? "half" : "a third of"} its width.`,
        whyTitle: "Which photo counted where",
        whyText: "Warm: most of the detail came from this photo. Cool: little of it.",
        whyEmpty: "No photo took part. Add photos of this person to see which of them counts where.",
        heatmap: (n: number, percent: number) => `Photo ${n} counted ${percent} percent on average`,
        counted: (n: number, percent: number) => `Photo ${n} · ${percent} %`,
        addPhotos: "Add photos to learn from",
        format: "File format",
        saveFace: "Save the face",
        savePhoto: "Save the photo",
        share: "Share",
        saved: "Saved. The file says that edgesr enhanced it.",
        again: "Another photo",
    },
    about: {
        title: "About",
        version: "Version",
        network: "Network",
        runtime: "Runs on",
        wasm: "WebAssembly",
        webgpu: "WebGPU",
        gpu: "WebGPU here",
        gpuUnknown: "not tried yet",
        gpuAsk: "Try WebGPU",
        gpuTrying: "Comparing WebGPU with WebAssembly",
        stored: "Gallery",
        storedNothing: "empty",
        offline: "Offline",
        offlineYes: "This page works without a connection.",
        offlineNo: "Not yet: the page is not kept whole.",
        measureTitle: "Measurements",
        measureText: "Both graphs of each network, warm, from pixels in to results out. Leave the page in front.",
        measure: "Measure",
        measuring: "Measuring",
        range: (p10: string, p90: string) => `${p10} to ${p90} ms (p10 to p90)`,
        licences: "YuNet finds the faces (MIT). onnxruntime-web runs the networks (MIT). edgesr is Apache-2.0.",
    },
    update: { text: "A new version of this page is ready.", action: "Load it", later: "Later" },
};

export const refusals: Record<Refusal, string> = {
    "no-face": "No face was found in it.",
    "too-small": "The face is too small: it needs 64 pixels from ear to ear.",
    "too-dark": "It is too dark.",
    "too-bright": "It is too bright: most of the face is white.",
    blurred: "It is blurred.",
    "turned-away": "The face is turned away from the camera.",
    "no-image": "It is no image that this browser can read.",
    heic: "It is a HEIC photo, which this browser does not read. Safari does; anywhere else save it as a JPEG first.",
    huge: "It has more than 64 megapixels.",
    duplicate: "It is among your photos already.",
};

/** What leads out of a problem. */
export type WayOut = "home" | "reload" | "refetch" | "wipe" | "choose" | "again" | "passing" | "gallery";

export interface ProblemWords {
    title: string;
    text: string;
    action: string;
    way: WayOut;
}

const restart = "Delete and start again";

export const problems: Record<Problem, ProblemWords> = {
    "model-missing": {
        title: "The network is missing",
        text: "The folder behind this page came without its model files. Make it again with edgesr convert --target web, then load the page again.",
        action: "Load again",
        way: "reload",
    },
    "model-damaged": {
        title: "The network is damaged",
        text: "A file that came is not the one that this page was made with, so it is not used. Fetching everything anew mends it when the damage is in this browser.",
        action: "Fetch everything again",
        way: "refetch",
    },
    "model-other": {
        title: "The network does not fit",
        text: "The model files are for another version of this page. Fetch everything again to get both from one build.",
        action: "Fetch everything again",
        way: "refetch",
    },
    offline: {
        title: "No connection",
        text: "A part of the page that was not kept yet could not be fetched. Once the first visit is complete it works offline. Connect, and try again.",
        action: "Try again",
        way: "again",
    },
    "no-wasm": {
        title: "This browser cannot run it",
        text: "The booth needs WebAssembly with SIMD, and this browser has none or has it turned off. Chrome, Edge and Firefox have it, and Safari from 16.4 on.",
        action: "Try again",
        way: "reload",
    },
    insecure: {
        title: "This address is not secure",
        text: "Browsers give camera and storage to pages from https or from this machine only. Open the page by https, or run edgesr booth.",
        action: "Try again",
        way: "reload",
    },
    "out-of-memory": {
        title: "Not enough memory",
        text: "The browser gave this page no more memory. Close other tabs, or choose a smaller photo.",
        action: "Another photo",
        way: "choose",
    },
    "pixels-hidden": {
        title: "This browser hides pixels",
        text: "Against tracking it gives pages noise in place of a picture’s pixels, and noise cannot be restored. Allow this page to read canvases, then try again.",
        action: "Try again",
        way: "again",
    },
    "no-storage": {
        title: "Nothing can be stored",
        text: "This browser keeps no data for this page, as in some private windows. The booth works all the same, and forgets what it learned when you close it.",
        action: "Go on without storing",
        way: "passing",
    },
    "storage-full": {
        title: "The storage is full",
        text: "There is no room left to keep what was learned. Nothing was changed. Free some space and try again.",
        action: "Try again",
        way: "again",
    },
    "gallery-damaged": {
        title: "Your gallery is damaged",
        text: "What was learned from your photos cannot be read any more. Delete it and add the photos again; photos themselves are not affected.",
        action: restart,
        way: "wipe",
    },
    "gallery-other": {
        title: "Your gallery is from another network",
        text: "It was made by another version of the network, and its features mean something else to this one. Delete it and add the photos again.",
        action: restart,
        way: "wipe",
    },
    "import-damaged": {
        title: "This is no gallery",
        text: "The file is damaged, or no .gallery file. Yours stays as it was.",
        action: "Back to the gallery",
        way: "gallery",
    },
    "import-other": {
        title: "The file is from another network",
        text: "Its features mean something else to the network of this booth. Yours stays as it was.",
        action: "Back to the gallery",
        way: "gallery",
    },
    "no-face": {
        title: "No face found",
        text: "A face has to be at least about ten pixels wide and look roughly into the camera.",
        action: "Another photo",
        way: "choose",
    },
    "no-image": {
        title: "This is no photo",
        text: "The file cannot be read as an image. JPEG, PNG and WebP work everywhere, HEIC in Safari.",
        action: "Another photo",
        way: "choose",
    },
    heic: {
        title: "HEIC is not read here",
        text: "This browser does not decode HEIC photos; Safari does. Save it as a JPEG first, or choose another photo.",
        action: "Another photo",
        way: "choose",
    },
    "too-large": {
        title: "The photo is too large",
        text: "It has more than 64 megapixels, more than a page can hold. Scale it down, or choose another one.",
        action: "Another photo",
        way: "choose",
    },
    "camera-refused": {
        title: "The camera is off limits",
        text: "The browser does not let this page use the camera. Allow it beside the address and try again, or choose a photo that you have.",
        action: "Choose a photo",
        way: "choose",
    },
    "camera-none": {
        title: "There is no camera",
        text: "No camera answers on this device. Choose a photo that you have instead.",
        action: "Choose a photo",
        way: "choose",
    },
    "camera-used": {
        title: "The camera is busy",
        text: "Another app or page is using it. Close that one and try again.",
        action: "Try again",
        way: "again",
    },
    unknown: {
        title: "Something went wrong",
        text: "This should not have happened. Try again, and if it stays, please report it with the photo’s format and size.",
        action: "Back to the start",
        way: "home",
    },
};
