import { Search } from "lucide-react";
import { Button } from "react-aria-components";
import type { Looked } from "../../engine/protocol";
import { Action } from "../ui/Action";
import { PictureView } from "../ui/Picture";
import { words } from "../words";

interface Props {
    looked: Looked;
    pick: (face: number) => void;
    closer: () => void;
}

/** Which of the faces of a photo is to be restored. */
export function Who({ looked, pick, closer }: Props) {
    return (
        <div className="stack stack--loose">
            <div className="stack stack--one">
                <h2 className="plain-title">{words.result.whoTitle}</h2>
                <p className="quiet">{words.result.whoText(looked.faces.length)}</p>
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
            {!looked.thorough && (
                <div className="row">
                    <Action look="plain" icon={<Search size={18} aria-hidden />} onPress={closer}>
                        {words.result.closer}
                    </Action>
                </div>
            )}
        </div>
    );
}
