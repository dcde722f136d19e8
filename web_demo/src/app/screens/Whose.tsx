import { Button } from "react-aria-components";
import type { Learning } from "../learning";
import { Confirm } from "../ui/Confirm";
import { PictureView } from "../ui/Picture";
import { words } from "../words";

/** Which of several people a photo is to be learned from. */
export function Whose({ learning: { asking } }: { learning: Learning }) {
    return (
        <Confirm
            open={asking !== null}
            title={words.gallery.whoseTitle}
            text={asking ? words.gallery.whoseText(asking.name, asking.faces.length) : ""}
            close={() => asking?.answer(null)}
            cancel={words.gallery.whoseSkip}
        >
            <div className="tiles">
                {asking?.faces.map((face, i) => (
                    <Button
                        key={i}
                        className="face-choice"
                        aria-label={words.result.faceN(i + 1)}
                        onPress={() => asking.answer(i)}
                    >
                        <PictureView picture={face.tile} label="" />
                    </Button>
                ))}
            </div>
        </Confirm>
    );
}
