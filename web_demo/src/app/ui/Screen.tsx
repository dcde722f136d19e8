import { ArrowLeft } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { go } from "../route";
import { words } from "../words";
import { Action } from "./Action";

interface Props {
    /** Of the document, and of the bar where there is one. */
    title: string;
    /** With a bar that leads back. */
    bar?: boolean;
    wide?: boolean;
    className?: string;
    children: ReactNode;
}

let shown = false;

/** A screen: its title is the document's, and takes the focus when the screen comes, so that readers read it out. */
export function Screen({ title, bar = false, wide = false, className = "", children }: Props) {
    const main = useRef<HTMLElement>(null);
    useEffect(() => {
        document.title = title === words.appName ? title : `${title} · ${words.appName}`;
        // Not on the first screen: a page that has just been opened starts at its top.
        if (shown) main.current?.focus({ preventScroll: true });
        shown = true;
        window.scrollTo(0, 0);
    }, [title]);
    return (
        <main
            id="content"
            ref={main}
            tabIndex={-1}
            aria-label={title}
            className={`screen ${wide ? "screen--wide" : ""} ${className}`}
        >
            {bar && (
                <div className="bar">
                    <Action
                        look="icon"
                        aria-label={words.back}
                        icon={<ArrowLeft aria-hidden />}
                        onPress={() => go("home")}
                    />
                    <h1>{title}</h1>
                </div>
            )}
            {children}
        </main>
    );
}
