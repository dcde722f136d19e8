/** edgesr for a page of one's own: a gallery of a person's photos, and that person's tiny faces made sharp. */
export { type Problem, ProblemError } from "../engine/problems";
export type {
    Chosen,
    FaceOutcome,
    GalleryContent,
    GalleryState,
    GpuTrial,
    Heatmap,
    Looked,
    Opened,
    Picture,
    Precision,
    Progress,
    Provider,
    Refusal,
    Remembered,
    SeenFace,
} from "../engine/protocol";
export {
    type Asking,
    Engine,
    type EngineOptions,
    type EnhanceOptions,
    type FindOptions,
    type Learned,
    type LearnOptions,
    type RestoreOptions,
    toImageData,
} from "./engine";
