import { useEffect, useState } from "react";
import { ToggleButton } from "react-aria-components";
import { useBooth } from "../booth";
import type { Learning } from "../learning";
import { Confirm } from "../ui/Confirm";
import { PictureView } from "../ui/Picture";
import { words } from "../words";

/** Whether the faces that are to be learned are one person's: without an embedder only a person can say. */
export function Alike({ learning: { unsure } }: { learning: Learning }) {
    const { gallery } = useBooth();
    const [left, setLeft] = useState<ReadonlySet<number>>(new Set());
    useEffect(() => {
        if (unsure) setLeft(new Set());
    }, [unsure]);
    const faces = unsure?.faces ?? [];
    const chosen = faces.map((_, i) => i).filter((i) => !left.has(i));
    const turn = (i: number, on: boolean) =>
        setLeft((before) => new Set(on ? [...before].filter((k) => k !== i) : [...before, i]));
    return (
        <Confirm
            open={unsure !== null}
            title={words.gallery.alikeTitle}
            text={words.gallery.alikeText(gallery?.remembered.length ?? 0)}
            close={() => unsure?.answer([])}
            cancel={words.gallery.alikeNone}
            confirm={() => unsure?.answer(chosen)}
            {...(chosen.length > 0 && { action: words.gallery.alike(chosen.length) })}
        >
            <div className="tiles">
                {faces.map(({ name, face }, i) => (
                    <ToggleButton
                        key={i}
                        className="face-choice face-choice--toggle"
                        aria-label={name}
                        isSelected={!left.has(i)}
                        onChange={(on) => turn(i, on)}
                    >
                        <PictureView picture={face} label="" />
                    </ToggleButton>
                ))}
            </div>
        </Confirm>
    );
}
