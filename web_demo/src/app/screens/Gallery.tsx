import type { GalleryState } from "edgesr-web/booth";
import { Images, Plus, X } from "lucide-react";
import { useEffect, useState } from "react";
import { DropZone, FileTrigger, isFileDropItem, Text } from "react-aria-components";
import { useBooth } from "../booth";
import { type Learning, useLearning } from "../learning";
import { Action } from "../ui/Action";
import { Busy } from "../ui/Busy";
import { Confirm } from "../ui/Confirm";
import { PHOTOS } from "../ui/PhotoTrigger";
import { PictureView } from "../ui/Picture";
import { Screen } from "../ui/Screen";
import { State } from "../ui/State";
import { words } from "../words";
import { Alike } from "./Alike";
import { GalleryFiles } from "./GalleryFiles";
import { NotUsed } from "./NotUsed";
import { Whose } from "./Whose";

/** The photos that were learned from: add several, see why one was refused, forget one, delete everything. */
export function Gallery() {
    const { gallery, loadGallery, fail, clear } = useBooth();
    const learning = useLearning();
    useEffect(() => {
        const load = () => loadGallery().catch((error) => fail(error, retry));
        const retry = () => {
            clear();
            void load();
        };
        void load();
    }, [loadGallery, fail, clear]);
    const count = gallery?.remembered.length ?? 0;
    return (
        <Screen title={words.gallery.title} bar wide className="gallery">
            <div className="screen__main stack stack--loose">
                <div className="stack stack--loose">
                    {count === 0 ? (
                        <State icon={Images} title={words.gallery.emptyTitle} text={words.gallery.emptyText} />
                    ) : (
                        <>
                            <p className="quiet">{words.gallery.text}</p>
                            <Remembered gallery={gallery!} />
                        </>
                    )}
                    <NotUsed refused={learning.refused} />
                </div>
                <div className="foot stack stack--loose">
                    <AddPhotos learning={learning} />
                    <GalleryFiles />
                </div>
            </div>
            <Whose learning={learning} />
            <Alike learning={learning} />
        </Screen>
    );
}

function AddPhotos({ learning }: { learning: Learning }) {
    const { now, add, stop, said } = learning;
    const choose = (files: FileList | null) => files && add([...files]);
    return (
        <DropZone
            className="drop"
            aria-label={words.gallery.drop}
            getDropOperation={() => "copy"}
            onDrop={async ({ items }) =>
                add(await Promise.all(items.filter(isFileDropItem).map((item) => item.getFile())))
            }
        >
            {now ? (
                <>
                    <Busy
                        label={words.gallery.adding(now.done + 1, now.total)}
                        share={now.total > 1 ? now.done / now.total : -1}
                    />
                    <Action look="plain" onPress={stop}>
                        {words.gallery.stop}
                    </Action>
                </>
            ) : (
                <>
                    <FileTrigger acceptedFileTypes={PHOTOS} allowsMultiple onSelect={choose}>
                        <Action look="filled" icon={<Plus size={20} aria-hidden />}>
                            {words.gallery.add}
                        </Action>
                    </FileTrigger>
                    <div className="with-pointer">
                        <Text slot="label" className="small">
                            {words.gallery.drop}
                        </Text>
                        <p className="caption">{words.gallery.dropHint}</p>
                    </div>
                </>
            )}
            <p className="unseen" role="status">
                {said}
            </p>
        </DropZone>
    );
}

function Remembered({ gallery }: { gallery: GalleryState }) {
    const { client, setGallery, fail, clear } = useBooth();
    const [forgetting, setForgetting] = useState<number | null>(null);
    const forget = async () => {
        try {
            setGallery(await client.ask("forget", { index: forgetting! }));
        } catch (error) {
            fail(error, clear);
        }
    };
    return (
        <>
            <ul className="tiles" aria-label={words.gallery.list}>
                {gallery.remembered.map((one, i) => (
                    <li key={i} className="tile tile--cells">
                        <PictureView picture={one.picture} label="" />
                        <div className="tile__foot">
                            <div>
                                <p className="tile__name">{words.gallery.photoN(i + 1)}</p>
                                <p className="caption">{words.gallery.sharp(percent(one.sharpness))}</p>
                            </div>
                            <Action
                                look="icon"
                                className="tile__forget"
                                aria-label={words.gallery.forget(i + 1)}
                                icon={<X size={18} aria-hidden />}
                                onPress={() => setForgetting(i)}
                            />
                        </div>
                    </li>
                ))}
            </ul>
            <Confirm
                open={forgetting !== null}
                title={words.remove.title}
                text={words.remove.text}
                action={words.delete}
                confirm={forget}
                close={() => setForgetting(null)}
            />
        </>
    );
}

const percent = (share: number) => Math.round(Math.min(share, 1) * 100);
