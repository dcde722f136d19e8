import type { Problem, Refusal } from "edgesr-web/booth";

/** What the page says of everything that can stand in the way. */

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
    "somebody-else": "It shows somebody else: you left it out.",
    duplicate: "The same picture has been learned already.",
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
