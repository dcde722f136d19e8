import type { ReactNode } from "react";
import { ToggleButton, ToggleButtonGroup } from "react-aria-components";

interface Props<K extends string> {
    label: string;
    options: readonly { key: K; content: ReactNode; name?: string }[];
    chosen: K;
    choose(key: K): void;
    snug?: boolean;
    className?: string;
}

/** One of a few. */
export function Segments<K extends string>({ label, options, chosen, choose, snug = false, className }: Props<K>) {
    return (
        <ToggleButtonGroup
            aria-label={label}
            selectionMode="single"
            disallowEmptySelection
            selectedKeys={[chosen]}
            onSelectionChange={(keys) => {
                const [key] = keys;
                if (key !== undefined) choose(key as K);
            }}
            className={className ?? `segments ${snug ? "segments--snug" : ""}`}
        >
            {options.map(({ key, content, name }) => (
                <ToggleButton key={key} id={key} className="segment" {...(name && { "aria-label": name })}>
                    {content}
                </ToggleButton>
            ))}
        </ToggleButtonGroup>
    );
}
