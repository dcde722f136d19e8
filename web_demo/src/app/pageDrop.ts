import { useEffect, useState } from "react";

/** Files that are dropped anywhere on the page, or pasted. @returns whether some are held over it now. */
export function usePageDrop(take: (files: File[]) => void): boolean {
    const [over, setOver] = useState(false);
    useEffect(() => {
        const holdsFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
        const move = (event: DragEvent) => {
            if (!holdsFiles(event)) return;
            event.preventDefault(); // else the browser opens the file in the page's place
            setOver(true);
        };
        const leave = (event: DragEvent) => {
            if (event.relatedTarget === null) setOver(false);
        };
        const drop = (event: DragEvent) => {
            if (!holdsFiles(event)) return;
            event.preventDefault();
            setOver(false);
            const files = [...(event.dataTransfer?.files ?? [])];
            if (files.length > 0) take(files);
        };
        const paste = (event: ClipboardEvent) => {
            const files = [...(event.clipboardData?.files ?? [])];
            if (files.length > 0) take(files);
        };
        window.addEventListener("dragover", move);
        window.addEventListener("dragleave", leave);
        window.addEventListener("drop", drop);
        window.addEventListener("paste", paste);
        return () => {
            window.removeEventListener("dragover", move);
            window.removeEventListener("dragleave", leave);
            window.removeEventListener("drop", drop);
            window.removeEventListener("paste", paste);
        };
    }, [take]);
    return over;
}
