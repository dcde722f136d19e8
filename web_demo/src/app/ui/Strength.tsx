import { Label, Slider, SliderOutput, SliderThumb, SliderTrack } from "react-aria-components";
import { words } from "../words";

/** How much of what was restored goes into the picture, 0 to 1. */
export function Strength({ value, change }: { value: number; change: (value: number) => void }) {
    return (
        <Slider
            className="strength"
            minValue={0}
            maxValue={1}
            step={0.05}
            value={value}
            onChange={(next) => change(next as number)}
            formatOptions={{ style: "percent" }}
        >
            <Label>{words.result.strength}</Label>
            <SliderOutput />
            <SliderTrack className="strength__track">
                <div className="strength__fill" style={{ width: `calc(12px + ${value * 100}%)` }} />
                <SliderThumb className="strength__thumb" />
            </SliderTrack>
        </Slider>
    );
}
