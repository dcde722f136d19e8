import type { Refusal } from "edgesr-web/booth";
import { TriangleAlert } from "lucide-react";
import { refusals } from "../obstacles";
import { words } from "../words";

/** Photos that were not learned from, and why. */
export function NotUsed({ refused }: { refused: { name: string; reason: Refusal }[] }) {
    if (refused.length === 0) return null;
    return (
        <section className="card stack" aria-label={words.gallery.refused}>
            <h2 className="label">{words.gallery.refused}</h2>
            <ul className="stack" aria-live="polite">
                {refused.map(({ name, reason }, i) => (
                    <li key={i} className="row row--top refusal">
                        <TriangleAlert aria-hidden />
                        <div className="grow">
                            <p className="ellipsis label">{name}</p>
                            <p className="small">{refusals[reason]}</p>
                        </div>
                    </li>
                ))}
            </ul>
        </section>
    );
}
