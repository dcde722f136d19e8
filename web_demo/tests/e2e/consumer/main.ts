import { Engine, type GalleryContent, ProblemError, toImageData } from "edgesr-web";

/** An app that installed the package, in TypeScript: every call that it has, as a type-checker and a browser see them. */

const open = () => Engine.open({ manifest: "/models/manifest.json" });

const photo = async (name: string) => (await fetch(`/photos/${name}`)).blob();

async function problem(promise: Promise<unknown>): Promise<string> {
    try {
        await promise;
        return "none";
    } catch (error) {
        if (error instanceof ProblemError) return `${error.problem}: ${error.hint === "" ? "no hint" : "hint"}`;
        return error instanceof Error ? error.name : String(error);
    }
}

const levels = (data: ImageData) => Array.from(data.data.filter((_, i) => i % 4 < 3));

export async function tour() {
    const stages = new Set<string>();
    const engine = await open();
    const [mine, nobody, ten, small] = await Promise.all(
        ["portrait-0027_1.jpg", "no-face.jpg", "ten.jpg", "small.jpg"].map(photo),
    );
    const first = await engine.learn([mine, nobody, ten], { progress: ({ stage }) => stages.add(stage) });
    const gallery: GalleryContent = first.gallery;
    const more = await engine.learn([ten], { gallery, which: (faces) => Math.min(2, faces.length - 1) });
    const described = await engine.describe(more.gallery);
    const without = await engine.forget(more.gallery, 1);
    const { faces, thorough } = await engine.find(small);
    const restored = await engine.restore(small, 0, { gallery });
    const enhanced = await engine.enhance(small, [{ face: 0, own: true }], { gallery, type: "png" });
    const controller = new AbortController();
    const aborted = problem(engine.find(ten, { thorough: true, signal: controller.signal }));
    controller.abort();
    const damaged = problem(engine.describe(new Uint8Array(64)));
    const beyond = problem(engine.restore(small, 7));
    const reasons = { aborted: await aborted, damaged: await damaged, beyond: await beyond };
    const waiting = problem(engine.find(ten, { thorough: true }));
    engine.dispose();
    // @ts-expect-error a face is said by its place, and not by its picture
    const misused = problem(engine.restore(small, faces[0]));
    return {
        network: engine.network,
        learned: first.learned,
        refused: first.refused,
        remembered: described.remembered.length,
        forgotten: without !== null && gallery !== null && without.every((byte, i) => byte === gallery[i]),
        gallery: Array.from(gallery ?? []),
        faces: faces.length,
        thorough,
        exemplars: restored.heatmaps.map(({ exemplar }) => exemplar),
        after: levels(toImageData(restored.after)),
        enhanced: Array.from(new Uint8Array(await enhanced.arrayBuffer())),
        stages: [...stages].sort(),
        ...reasons,
        disposed: [await waiting, await misused],
        nowhere: await problem(Engine.open({ manifest: "/nowhere/manifest.json" })),
    };
}

Object.assign(globalThis, { tour });
