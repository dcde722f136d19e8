import type { Looked, Outcome, Photo } from "edgesr-web/booth";
import { Plus, Search } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { useBooth } from "../booth";
import { labelOf, type Restoring } from "../restoring";
import { go } from "../route";
import { Action } from "../ui/Action";
import { Busy } from "../ui/Busy";
import { Compare } from "../ui/Compare";
import { PhotoTrigger } from "../ui/PhotoTrigger";
import { PictureView } from "../ui/Picture";
import { Segments } from "../ui/Segments";
import { Strength } from "../ui/Strength";
import { words } from "../words";
import { Save } from "./Save";
import { Why } from "./Why";

type View = "face" | "photo" | "why";

interface Props {
    photo: Photo;
    restoring: Restoring;
    looked: Looked;
    outcome: Outcome;
}

/** A restored face: seen, explained, adjusted, saved. */
export function Restored({ photo, restoring, looked, outcome }: Props) {
    const { gallery } = useBooth();
    useGpuTrial();
    const [view, setView] = useState<View>("face");
    const [strength, setStrength] = useState(1);
    const [fresh, setFresh] = useState(true);
    const { busy, pick, face } = restoring;
    const show = (next: View) => {
        setFresh(false);
        setView(next);
    };
    return (
        <div className="result__both">
            <div className="stack">
                <Segments
                    label={words.result.view}
                    chosen={view}
                    choose={show}
                    options={[
                        { key: "face", content: words.result.face },
                        { key: "photo", content: words.result.photo },
                        { key: "why", content: words.result.why },
                    ]}
                />
                {view === "face" && (
                    <Compare
                        before={<PictureView picture={outcome.before} label={words.result.before} />}
                        after={<PictureView picture={outcome.after} label={words.result.after} />}
                        strength={strength}
                        reveal={fresh}
                    />
                )}
                {view === "photo" && (
                    <Compare
                        photo
                        before={<PictureView picture={outcome.photoBefore} label={words.result.before} />}
                        after={<PictureView picture={outcome.photoAfter} label={words.result.after} />}
                        strength={strength}
                        reveal={false}
                    />
                )}
                {view === "why" && <Why outcome={outcome} />}
            </div>
            <div className="stack stack--loose">
                <p data-testid="said">{said(outcome, looked.faces.length, gallery?.remembered.length ?? 0)}</p>
                {looked.reduced > 1 && <p className="small quiet">{words.result.reduced(looked.reduced)}</p>}
                {looked.faces.length > 1 && (
                    <Segments
                        className="strip"
                        label={words.result.faces}
                        chosen={String(face)}
                        choose={(key) => pick(Number(key))}
                        options={looked.faces.map(({ tile }, i) => ({
                            key: String(i),
                            name: words.result.faceN(i + 1),
                            content: <PictureView picture={tile} label="" />,
                        }))}
                    />
                )}
                {(gallery?.remembered.length ?? 0) > 0 && (
                    <Segments
                        snug
                        label={words.result.whose}
                        chosen={outcome.own ? "mine" : "other"}
                        choose={(whose) => restoring.own(whose === "mine" ? face : null)}
                        options={[
                            { key: "mine", content: words.result.mine },
                            { key: "other", content: words.result.other },
                        ]}
                    />
                )}
                {view !== "why" && <Strength value={strength} change={setStrength} />}
                <Precisions outcome={outcome} />
                {busy ? (
                    <Busy label={labelOf(busy)} share={busy.share} />
                ) : (
                    <Save
                        photo={photo}
                        looked={looked}
                        outcome={outcome}
                        what={view === "photo" ? "photo" : "face"}
                        strength={strength}
                    />
                )}
                <div className="row row--one row--wrap row--plain">
                    {gallery?.remembered.length === 0 && (
                        <Action look="plain" icon={<Plus size={18} aria-hidden />} onPress={() => go("gallery")}>
                            {words.result.addPhotos}
                        </Action>
                    )}
                    {!looked.thorough && (
                        <Action look="plain" icon={<Search size={18} aria-hidden />} onPress={restoring.lookCloser}>
                            {words.result.closer}
                        </Action>
                    )}
                    <PhotoTrigger look="plain" label={words.result.again} />
                </div>
            </div>
        </div>
    );
}

/** WebGPU's own runtime is large, so it is fetched once a face is shown and nobody asks for anything. */
const QUIET = 3000;

function useGpuTrial(): void {
    const { gpu, tryGpu, precision } = useBooth();
    const tried = useRef("");
    useEffect(() => {
        if (tried.current === precision || gpu?.adapter === false || savesData()) return;
        const timer = setTimeout(() => {
            tried.current = precision;
            // Without it everything works as before; the about screen says why, when asked.
            tryGpu(false).catch(() => undefined);
        }, QUIET);
        return () => clearTimeout(timer);
    }, [gpu, tryGpu, precision]);
}

function savesData(): boolean {
    return (navigator as { connection?: { saveData?: boolean } }).connection?.saveData ?? false;
}

function said(outcome: Outcome, faces: number, remembered: number): string {
    const count = outcome.heatmaps.length;
    if (outcome.side > 3 * outcome.lrSize) return words.result.large;
    if (!outcome.own && remembered > 0) return faces > 1 ? words.result.usedOtherOfSeveral : words.result.usedOther;
    if (count === 0) return words.result.usedNone;
    return words.result.used(count);
}

/** Which network, and how long it takes here. */
function Precisions({ outcome }: { outcome: Outcome }) {
    const { precision, setPrecision } = useBooth();
    const runtime = outcome.provider === "webgpu" ? words.about.webgpu : words.about.wasm;
    return (
        <div className="row row--wrap">
            {outcome.available.length === 1 ? (
                <p className="small">{words.result.only(words.result[outcome.precision])}</p>
            ) : (
                <Segments
                    snug
                    label={words.result.network}
                    chosen={precision}
                    choose={setPrecision}
                    options={[
                        { key: "int8", content: words.result.int8 },
                        { key: "fp32", content: words.result.fp32 },
                    ]}
                />
            )}
            <div>
                <p className="label">{words.result.latency(outcome.medianMillis.toFixed(1))}</p>
                <p className="caption">{words.result.latencyLong(runtime, outcome.runs)}</p>
            </div>
        </div>
    );
}
