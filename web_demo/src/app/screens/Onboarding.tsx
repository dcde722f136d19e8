import { type LucideIcon, ScanFace, Shield, Trash2 } from "lucide-react";
import { useBooth } from "../booth";
import { Action } from "../ui/Action";
import { Screen } from "../ui/Screen";
import { words } from "../words";

/** What is kept, where, and how to undo it: shown before anything is stored. */
export function Onboarding() {
    const { accept } = useBooth();
    const { title, keepsTitle, keeps, whereTitle, where, deleteTitle, delete: undo } = words.onboarding;
    return (
        <Screen title={title}>
            <div className="middle stack stack--loose">
                <h1 className="plain-title">{title}</h1>
                <Point icon={ScanFace} title={keepsTitle} text={keeps} />
                <Point icon={Shield} title={whereTitle} text={where} />
                <Point icon={Trash2} title={deleteTitle} text={undo} />
            </div>
            <div className="foot">
                <Action look="filled" onPress={accept}>
                    {words.onboarding.accept}
                </Action>
            </div>
        </Screen>
    );
}

function Point({ icon: Icon, title, text }: { icon: LucideIcon; title: string; text: string }) {
    return (
        <section className="row row--top">
            <span className="badge">
                <Icon size={24} aria-hidden />
            </span>
            <div className="stack stack--tight grow">
                <h2>{title}</h2>
                <p className="quiet">{text}</p>
            </div>
        </section>
    );
}
