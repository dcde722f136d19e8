/**
 * What the booth's page is made with: the worker's own questions, each as a screen needs it, and one gallery that the
 * browser keeps. `Engine` asks the same worker.
 */
export { BoothClient, checkBrowser } from "../engine/client";
export { CancelledError, PROBLEMS, type Problem, ProblemError, problemOf } from "../engine/problems";
export * from "../engine/protocol";
export { eraseDatabase, readSetting, writeSetting } from "../engine/store";
