import { Images } from "lucide-react";
import { FileTrigger } from "react-aria-components";
import { useBooth } from "../booth";
import { Action } from "./Action";

/** Some systems list HEIC photos only where they are named. */
export const PHOTOS = ["image/*", ".heic", ".heif"];

/** Choose one photo to restore a face in. */
export function PhotoTrigger({ look, label }: { look: "filled" | "tonal" | "plain"; label: string }) {
    const { choose } = useBooth();
    return (
        <FileTrigger
            acceptedFileTypes={PHOTOS}
            onSelect={(files) => {
                const file = files?.[0];
                if (file) choose(file, file.name);
            }}
        >
            <Action look={look} icon={<Images size={20} aria-hidden />}>
                {label}
            </Action>
        </FileTrigger>
    );
}
