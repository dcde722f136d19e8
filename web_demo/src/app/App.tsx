import { useEffect, useRef } from "react";
import { useBooth } from "./booth";
import { useRoute } from "./route";
import { About } from "./screens/About";
import { Camera } from "./screens/Camera";
import { Gallery } from "./screens/Gallery";
import { Home } from "./screens/Home";
import { Onboarding } from "./screens/Onboarding";
import { Problem } from "./screens/Problem";
import { Result } from "./screens/Result";
import { Wiped } from "./screens/Wiped";
import { Action } from "./ui/Action";
import { words } from "./words";

export function App() {
    return (
        <>
            {/* biome-ignore lint/a11y/useValidAnchor: it leads to the content; the address says which screen is shown */}
            <a className="skip" href="#content" onClick={skip}>
                {words.skip}
            </a>
            <Current />
            <Update />
        </>
    );
}

function skip(event: React.MouseEvent) {
    event.preventDefault();
    document.getElementById("content")?.focus();
}

function Current() {
    const { consented, obstacle, photo, wiped, clear } = useBooth();
    const route = useRoute();
    const before = useRef(route);
    useEffect(() => {
        // The browser's own back button leads out of a problem as well.
        if (consented && before.current !== route) clear();
        before.current = route;
    }, [route, consented, clear]);
    if (wiped) return <Wiped />;
    if (obstacle) return <Problem key={obstacle.problem} obstacle={obstacle} />;
    if (consented === null) return null;
    if (!consented) return <Onboarding />;
    if (route === "gallery") return <Gallery />;
    if (route === "camera") return <Camera />;
    if (route === "about") return <About />;
    if (route === "result" && photo) return <Result key={photo.id} photo={photo} />;
    return <Home />;
}

/** Another build of the page has come: it is let in when somebody says so, not under their hands. */
function Update() {
    const { offline, laterUpdate } = useBooth();
    if (offline.kind !== "update") return null;
    return (
        <div className="notice" role="status">
            <span>{words.update.text}</span>
            <span className="row row--one">
                <Action look="plain" onPress={offline.load}>
                    {words.update.action}
                </Action>
                <Action look="plain" onPress={laterUpdate}>
                    {words.update.later}
                </Action>
            </span>
        </div>
    );
}
