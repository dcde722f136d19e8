import { useSyncExternalStore } from "react";

/** Screens by their address: the browser's own back button leads from one to the other. */
export const ROUTES = ["home", "gallery", "camera", "result", "about"] as const;
export type Route = (typeof ROUTES)[number];

export function useRoute(): Route {
    return useSyncExternalStore(
        (changed) => {
            window.addEventListener("hashchange", changed);
            return () => window.removeEventListener("hashchange", changed);
        },
        () => {
            const name = window.location.hash.replace(/^#\//, "");
            return ROUTES.find((route) => route === name) ?? "home";
        },
    );
}

export function go(route: Route): void {
    window.location.hash = route === "home" ? "#/" : `#/${route}`;
}
