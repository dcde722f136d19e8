import type { Problem as Kind } from "edgesr-web/booth";
import {
    Ban,
    CameraOff,
    CloudOff,
    Cpu,
    HardDrive,
    ImageOff,
    type LucideIcon,
    ScanFace,
    TriangleAlert,
} from "lucide-react";
import { type Obstacle, useBooth } from "../booth";
import { problems } from "../obstacles";
import { go } from "../route";
import { Action } from "../ui/Action";
import { PhotoTrigger } from "../ui/PhotoTrigger";
import { Screen } from "../ui/Screen";
import { State } from "../ui/State";
import { words } from "../words";

const ICONS: Partial<Record<Kind, LucideIcon>> = {
    offline: CloudOff,
    "no-wasm": Cpu,
    insecure: Ban,
    "out-of-memory": Cpu,
    "pixels-hidden": ImageOff,
    "no-storage": HardDrive,
    "storage-full": HardDrive,
    "no-face": ScanFace,
    "no-image": ImageOff,
    heic: ImageOff,
    "too-large": ImageOff,
    "camera-refused": CameraOff,
    "camera-none": CameraOff,
    "camera-used": CameraOff,
};

/** What stands in the way: a title, a sentence, and a way out. */
export function Problem({ obstacle }: { obstacle: Obstacle }) {
    const booth = useBooth();
    const { title, text, action, way } = problems[obstacle.problem];
    const leave = () => {
        booth.clear();
        go("home");
    };
    const anew = async () => {
        try {
            await booth.client.ask("wipe", {});
            await booth.loadGallery();
            obstacle.again();
        } catch (error) {
            booth.fail(error, booth.clear);
        }
    };
    const ways = {
        home: leave,
        reload: () => window.location.reload(),
        refetch: () => booth.refetch(),
        wipe: anew,
        again: obstacle.again,
        passing: booth.forgetful,
        gallery: booth.clear,
    };
    return (
        <Screen title={title} className="problem">
            <div className="middle" role="alert">
                <State icon={ICONS[obstacle.problem] ?? TriangleAlert} title={title} text={text} top />
                <details className="caption">
                    <summary>{words.details}</summary>
                    <p>{obstacle.detail}</p>
                </details>
            </div>
            <div className="foot">
                {way === "choose" ? (
                    <PhotoTrigger look="filled" label={action} />
                ) : (
                    <Action look="filled" onPress={ways[way]}>
                        {action}
                    </Action>
                )}
                {booth.consented && way !== "home" && (
                    <Action look="plain" onPress={leave}>
                        {words.toStart}
                    </Action>
                )}
            </div>
        </Screen>
    );
}
