import type { Looked, Outcome, Photo } from "edgesr-web/booth";
import { Download, Share2 } from "lucide-react";
import { useState } from "react";
import { useBooth } from "../booth";
import { saveFile } from "../saveFile";
import { Action } from "../ui/Action";
import { Segments } from "../ui/Segments";
import { words } from "../words";

type Type = "png" | "jpeg";

interface Props {
    photo: Photo;
    looked: Looked;
    outcome: Outcome;
    what: "face" | "photo";
    strength: number;
}

/** The face or the photo as a file that says what was done to it. */
export function Save({ photo, looked, outcome, what, strength }: Props) {
    const { client, fail, clear, precision } = useBooth();
    const [type, setType] = useState<Type>("png");
    const [said, setSaid] = useState("");
    const [working, setWorking] = useState(false);

    const make = async (): Promise<File | null> => {
        setWorking(true);
        setSaid(words.result.saving);
        try {
            const { face, own } = outcome;
            const wanted = { photo, thorough: looked.thorough, face, own, precision, what, type, strength };
            const blob = await client.ask("save", wanted);
            return new File([blob], nameFor(photo.name, what, type), { type: blob.type });
        } catch (error) {
            setSaid("");
            fail(error, clear);
            return null;
        } finally {
            setWorking(false);
        }
    };
    const save = async () => {
        const file = await make();
        if (!file) return;
        saveFile(file, file.name);
        setSaid(words.result.saved);
    };
    const share = async () => {
        const file = await make();
        if (!file) return;
        setSaid("");
        try {
            await navigator.share({ files: [file] });
        } catch (error) {
            if (!(error instanceof DOMException && error.name === "AbortError")) fail(error, clear);
        }
    };
    return (
        <div className="stack">
            <div className="row row--one row--wrap">
                <Segments<Type>
                    snug
                    label={words.result.format}
                    chosen={type}
                    choose={setType}
                    options={[
                        { key: "png", content: "PNG" },
                        { key: "jpeg", content: "JPEG" },
                    ]}
                />
                <Action
                    look="filled"
                    className="grow"
                    icon={<Download size={20} aria-hidden />}
                    onPress={save}
                    isDisabled={working}
                >
                    {what === "face" ? words.result.saveFace : words.result.savePhoto}
                </Action>
                {canShare() && (
                    <Action look="tonal" icon={<Share2 size={20} aria-hidden />} onPress={share} isDisabled={working}>
                        {words.result.share}
                    </Action>
                )}
            </div>
            <p className="small quiet" role="status">
                {said}
            </p>
        </div>
    );
}

function canShare(): boolean {
    return navigator.canShare?.({ files: [new File([], "face.png", { type: "image/png" })] }) ?? false;
}

function nameFor(name: string, what: "face" | "photo", type: Type): string {
    const stem = name.replace(/\.[^.]*$/, "") || "photo";
    return `${stem}-${what === "face" ? "face" : "sharp"}.${type === "png" ? "png" : "jpg"}`;
}
