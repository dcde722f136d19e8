import { Camera, ChevronRight, WifiOff } from "lucide-react";
import { useCallback } from "react";
import { Button } from "react-aria-components";
import { useBooth } from "../booth";
import { usePageDrop } from "../pageDrop";
import { go } from "../route";
import { Action } from "../ui/Action";
import { Hero } from "../ui/Hero";
import { PhotoTrigger } from "../ui/PhotoTrigger";
import { Screen } from "../ui/Screen";
import { words } from "../words";

/** Where everything starts: take, choose or drop a photo, and look after the photos to learn from. */
export function Home() {
    const { gallery, galleryProblem, choose, offline } = useBooth();
    const dropping = usePageDrop(useCallback(([file]: File[]) => choose(file, file.name), [choose]));
    const count = gallery?.remembered.length ?? 0;
    const said = galleryProblem
        ? words.home.galleryProblem
        : count === 0
          ? words.home.galleryNone
          : words.home.galleryCount(count);
    return (
        <Screen title={words.appName} className="home" wide>
            <div className="middle screen__main">
                <Hero label={words.home.art} />
                <div className="stack stack--loose home__words">
                    <div className="stack stack--one">
                        <h1>{words.home.title}</h1>
                        <p className="quiet">{words.home.text}</p>
                    </div>
                    <Button className="card-button" onPress={() => go("gallery")}>
                        <span className="stack stack--tight grow">
                            <strong>{words.home.galleryCard}</strong>
                            <span className="quiet small">{said}</span>
                        </span>
                        <ChevronRight className="quiet" aria-hidden />
                    </Button>
                    <div className="home__actions">
                        <Action look="filled" icon={<Camera size={20} aria-hidden />} onPress={() => go("camera")}>
                            {words.home.take}
                        </Action>
                        <PhotoTrigger look="tonal" label={words.home.choose} />
                        <p className="caption home__foot with-pointer">{words.home.drop}</p>
                    </div>
                </div>
            </div>
            <footer className="home__foot">
                <Action look="plain" onPress={() => go("about")}>
                    {words.home.about}
                </Action>
                {offline.kind === "ready" && (
                    <span className="caption row row--one">
                        <WifiOff size={14} aria-hidden />
                        {words.home.offlineReady}
                    </span>
                )}
            </footer>
            {dropping && (
                <div className="dropping" aria-hidden>
                    {words.home.dropHere}
                </div>
            )}
        </Screen>
    );
}
