import { ChevronsLeftRight } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { Slider, SliderThumb, SliderTrack } from "react-aria-components";
import { words } from "../words";

interface Props {
    before: ReactNode;
    after: ReactNode;
    /** How much of what was restored shows, 0 to 1. */
    strength: number;
    /** Let the line run once from the old to the new. */
    reveal: boolean;
    photo?: boolean;
}

const REVEAL = 700;

/** Two pictures of one shape, and a line between them: dragged, or moved by the arrow keys. */
export function Compare({ before, after, strength, reveal, photo = false }: Props) {
    const [split, setSplit] = useState(50);
    useEffect(() => {
        if (!reveal || window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
        let frame = 0;
        const start = performance.now();
        const run = (now: number) => {
            const t = Math.min(1, (now - start) / REVEAL);
            setSplit(96 - 46 * (1 - (1 - t) ** 3));
            if (t < 1) frame = requestAnimationFrame(run);
        };
        frame = requestAnimationFrame(run);
        return () => cancelAnimationFrame(frame);
    }, [reveal]);
    return (
        <Slider
            aria-label={words.result.compare}
            className={`compare ${photo ? "compare--photo" : ""}`}
            value={split}
            onChange={(value) => setSplit(value as number)}
            step={1}
        >
            <SliderTrack className="compare__track">
                {before}
                <div className="compare__layer" style={{ clipPath: `inset(0 0 0 ${split}%)`, opacity: strength }}>
                    {after}
                </div>
                <span
                    className={`compare__word compare__word--before ${split < 22 ? "compare__word--gone" : ""}`}
                    aria-hidden
                >
                    {words.result.before}
                </span>
                <span
                    className={`compare__word compare__word--after ${split > 80 ? "compare__word--gone" : ""}`}
                    aria-hidden
                >
                    {words.result.after}
                </span>
                <SliderThumb className="compare__thumb" aria-label={words.result.compare}>
                    <span className="compare__knob">
                        <ChevronsLeftRight size={22} aria-hidden />
                    </span>
                </SliderThumb>
            </SliderTrack>
        </Slider>
    );
}
