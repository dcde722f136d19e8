import type { Photo } from "edgesr-web/booth";
import { useBooth } from "../booth";
import { labelOf, useRestoring } from "../restoring";
import { Busy } from "../ui/Busy";
import { Screen } from "../ui/Screen";
import { words } from "../words";
import { Restored } from "./Restored";
import { Who } from "./Who";

/** One photo: whose face, the face before and after, the photo before and after, and which exemplar counted where. */
export function Result({ photo }: { photo: Photo }) {
    const { precision } = useBooth();
    const restoring = useRestoring(photo, precision);
    const { looked, face, outcome, busy } = restoring;
    return (
        <Screen title={words.result.title} bar wide className="result">
            <p className="unseen" role="status">
                {outcome && !busy ? words.result.after : busy ? labelOf(busy) : ""}
            </p>
            {looked && face !== null && outcome ? (
                <Restored photo={photo} restoring={restoring} looked={looked} outcome={outcome} />
            ) : looked && face === null && !busy ? (
                <Who looked={looked} restoring={restoring} />
            ) : (
                <div className="middle busy stack">
                    <Busy label={busy ? labelOf(busy) : words.result.restoring} share={busy?.share ?? -1} />
                </div>
            )}
        </Screen>
    );
}
