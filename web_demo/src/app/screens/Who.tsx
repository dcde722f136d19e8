import type { Looked } from "edgesr-web/booth";
import { Search, UserX } from "lucide-react";
import { Button } from "react-aria-components";
import { useBooth } from "../booth";
import type { Restoring } from "../restoring";
import { Action } from "../ui/Action";
import { PictureView } from "../ui/Picture";
import { words } from "../words";

interface Props {
    looked: Looked;
    restoring: Restoring;
}

/** Which of the faces of a photo is the person of the gallery; without a gallery, which of them is to be restored. */
export function Who({ looked, restoring }: Props) {
    const { gallery } = useBooth();
    const learned = gallery?.remembered.length !== 0;
    const pick = (face: number) => {
        restoring.own(face);
        restoring.pick(face);
    };
    return (
        <div className="stack stack--loose">
            <div className="stack stack--one">
                <h2 className="plain-title">{words.result.whoTitle}</h2>
                <p className="quiet">{(learned ? words.result.whoText : words.result.whoAny)(looked.faces.length)}</p>
            </div>
            <div className="seen">
                <PictureView picture={looked.preview} label={words.result.photo} />
                {looked.faces.map(({ box }, i) => (
                    <Button
                        key={i}
                        className="seen__box"
                        // The tiles below are the same choice, in a row: one stop for the keyboard is enough.
                        excludeFromTabOrder
                        aria-label={words.result.faceN(i + 1)}
                        onPress={() => pick(i)}
                        style={{
                            left: `${box.left * 100}%`,
                            top: `${box.top * 100}%`,
                            width: `${box.width * 100}%`,
                            height: `${box.height * 100}%`,
                        }}
                    />
                ))}
            </div>
            <ul className="tiles" aria-label={words.result.faces}>
                {looked.faces.map((face, i) => (
                    <li key={i} className="tile">
                        <Button className="face-choice" aria-label={words.result.faceN(i + 1)} onPress={() => pick(i)}>
                            <PictureView picture={face.tile} label="" />
                        </Button>
                    </li>
                ))}
            </ul>
            <div className="row row--one row--wrap row--plain">
                {learned && (
                    <Action look="plain" icon={<UserX size={18} aria-hidden />} onPress={() => restoring.pick(0)}>
                        {words.result.whoNone}
                    </Action>
                )}
                {!looked.thorough && (
                    <Action look="plain" icon={<Search size={18} aria-hidden />} onPress={restoring.lookCloser}>
                        {words.result.closer}
                    </Action>
                )}
            </div>
        </div>
    );
}
