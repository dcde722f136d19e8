import { type GpuTrial, type Measured, type Opened, PRECISIONS } from "edgesr-web/booth";
import { useEffect, useState } from "react";
import { useBooth } from "../booth";
import { Action } from "../ui/Action";
import { Busy } from "../ui/Busy";
import { Screen } from "../ui/Screen";
import { words } from "../words";

const RUNS = 20;

/** What runs here, what is stored, and how long it takes. */
export function About() {
    const { client, precision, gallery, offline, fail, clear, gpu, tryGpu } = useBooth();
    const [opened, setOpened] = useState<Opened | null>(null);
    const [measured, setMeasured] = useState<Measured[]>([]);
    const [busy, setBusy] = useState<{ label: string; share: number } | null>(null);

    useEffect(() => {
        const controller = new AbortController();
        client.ask("open", { precision }, { signal: controller.signal }).then(setOpened, (error) => fail(error, clear));
        return () => controller.abort();
    }, [client, precision, fail, clear]);

    const work = async (label: string, job: () => Promise<void>) => {
        setBusy({ label, share: -1 });
        try {
            await job();
        } catch (error) {
            fail(error, clear);
        } finally {
            setBusy(null);
        }
    };
    const measure = () =>
        work(words.about.measuring, async () => {
            const progress = ({ share }: { share: number }) => setBusy({ label: words.about.measuring, share });
            const rows: Measured[] = [];
            for (const one of opened?.available ?? PRECISIONS) {
                rows.push(...(await client.ask("measure", { precision: one, runs: RUNS }, { progress })));
                setMeasured([...rows]);
            }
        });
    return (
        <Screen title={words.about.title} bar>
            <div className="stack stack--loose">
                {!opened && <Busy label={words.result.opening} share={-1} />}
                <dl className="facts card">
                    {opened && (
                        <>
                            <dt>{words.about.version}</dt>
                            <dd>{opened.version}</dd>
                            <dt>{words.about.network}</dt>
                            <dd>{`${opened.name}, ${opened.lrSize} to ${opened.hrSize} pixels`}</dd>
                            <dt>{words.about.runtime}</dt>
                            <dd>{words.about[opened.provider]}</dd>
                        </>
                    )}
                    <dt>{words.about.gpu}</dt>
                    <dd>{describe(gpu)}</dd>
                    <dt>{words.about.stored}</dt>
                    <dd>{stored(gallery?.bytes ?? 0)}</dd>
                    <dt>{words.about.offline}</dt>
                    <dd>
                        {offline.kind === "ready" || offline.kind === "update"
                            ? words.about.offlineYes
                            : words.about.offlineNo}
                    </dd>
                </dl>
                <section className="stack">
                    <h2>{words.about.measureTitle}</h2>
                    <p className="quiet">{words.about.measureText}</p>
                    {measured.length > 0 && <Numbers measured={measured} />}
                    {busy ? (
                        <Busy {...busy} />
                    ) : (
                        <div className="row row--one row--wrap">
                            <Action look="tonal" onPress={measure}>
                                {words.about.measure}
                            </Action>
                            <Action look="plain" onPress={() => work(words.about.gpuTrying, () => tryGpu(true))}>
                                {words.about.gpuAsk}
                            </Action>
                        </div>
                    )}
                </section>
                <p className="caption">{words.about.licences}</p>
            </div>
        </Screen>
    );
}

function describe(gpu: GpuTrial | null): string {
    if (!gpu) return words.about.gpuUnknown;
    if (!gpu.agrees) return gpu.why;
    return `${gpu.why}: ${gpu.gpuMillis.toFixed(1)} ms, WebAssembly ${gpu.wasmMillis.toFixed(1)} ms, ${gpu.psnr.toFixed(0)} dB alike`;
}

function stored(bytes: number): string {
    return bytes === 0 ? words.about.storedNothing : `${(bytes / 1024).toFixed(0)} KB`;
}

function Numbers({ measured }: { measured: Measured[] }) {
    return (
        <table className="numbers small">
            <tbody>
                {measured.map(({ precision, provider, graph, median, p10, p90 }) => (
                    <tr key={`${precision}-${provider}-${graph}`}>
                        <th scope="row">{`${words.result[precision]}, ${graph}`}</th>
                        <td>
                            {`${median.toFixed(1)} ms`}
                            <br />
                            <span className="caption">{words.about.range(p10.toFixed(1), p90.toFixed(1))}</span>
                        </td>
                    </tr>
                ))}
            </tbody>
        </table>
    );
}
