import { Check } from "lucide-react";
import { Action } from "../ui/Action";
import { Screen } from "../ui/Screen";
import { State } from "../ui/State";
import { words } from "../words";

/** After everything is deleted: nothing is stored again until somebody agrees anew. */
export function Wiped() {
    const again = () => {
        window.location.hash = "";
        window.location.reload();
    };
    return (
        <Screen title={words.wipe.doneTitle}>
            <div className="middle">
                <State icon={Check} title={words.wipe.doneTitle} text={words.wipe.doneText} top />
            </div>
            <div className="foot">
                <Action look="filled" onPress={again}>
                    {words.wipe.again}
                </Action>
            </div>
        </Screen>
    );
}
