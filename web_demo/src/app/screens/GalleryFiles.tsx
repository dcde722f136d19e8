import { Download, FolderOpen } from "lucide-react";
import { useState } from "react";
import { FileTrigger } from "react-aria-components";
import { useBooth } from "../booth";
import { saveFile } from "../saveFile";
import { Action } from "../ui/Action";
import { Confirm } from "../ui/Confirm";
import { words } from "../words";

/** The gallery as a file, from a file, and its end. */
export function GalleryFiles() {
    const { client, gallery, setGallery, fail, clear, wipe } = useBooth();
    const [opening, setOpening] = useState<File | null>(null);
    const [wiping, setWiping] = useState(false);
    const count = gallery?.remembered.length ?? 0;

    const replace = async (content: Blob) => {
        try {
            setGallery(await client.ask("import", { content }));
        } catch (error) {
            fail(error, clear);
        }
    };
    const save = async () => {
        try {
            saveFile(await client.ask("export", {}), "me.gallery");
        } catch (error) {
            fail(error, clear);
        }
    };
    const remove = async () => {
        try {
            await wipe();
        } catch (error) {
            fail(error, clear);
        }
    };
    return (
        <div className="stack stack--one files">
            {gallery && !gallery.lasting && <p className="card small">{words.gallery.passing}</p>}
            <p className="caption">{words.gallery.fileHint}</p>
            <div className="row row--one row--wrap">
                {count > 0 && (
                    <Action look="plain" icon={<Download size={18} aria-hidden />} onPress={save}>
                        {words.gallery.export}
                    </Action>
                )}
                <FileTrigger
                    acceptedFileTypes={[".gallery"]}
                    onSelect={(files) => {
                        const file = files?.[0];
                        if (!file) return;
                        if (count > 0) setOpening(file);
                        else void replace(file);
                    }}
                >
                    <Action look="plain" icon={<FolderOpen size={18} aria-hidden />}>
                        {words.gallery.import}
                    </Action>
                </FileTrigger>
            </div>
            <div className="row">
                <Action look="plain" onPress={() => setWiping(true)}>
                    {words.wipe.action}
                </Action>
            </div>
            <Confirm
                open={opening !== null}
                title={words.import.title}
                text={words.import.text(count)}
                action={words.import.action}
                confirm={() => replace(opening!)}
                close={() => setOpening(null)}
            />
            <Confirm
                open={wiping}
                title={words.wipe.title}
                text={words.wipe.text(count)}
                action={words.delete}
                confirm={remove}
                close={() => setWiping(false)}
            />
        </div>
    );
}
