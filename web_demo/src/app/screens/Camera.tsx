import { SwitchCamera } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { Button } from "react-aria-components";
import { useBooth } from "../booth";
import { closeCamera, type Facing, hasSeveralCameras, openCamera, takePicture } from "../camera";
import { Action } from "../ui/Action";
import { PhotoTrigger } from "../ui/PhotoTrigger";
import { Screen } from "../ui/Screen";
import { words } from "../words";

/** Take a picture to restore a face in. The camera is off again when the screen goes. */
export function Camera() {
    const { choose, fail, clear } = useBooth();
    const video = useRef<HTMLVideoElement>(null);
    const [facing, setFacing] = useState<Facing>("user");
    const [ready, setReady] = useState(false);
    const [several, setSeveral] = useState(false);

    useEffect(() => {
        let stream: MediaStream | null = null;
        let gone = false;
        setReady(false);
        openCamera(facing).then(
            async (opened) => {
                if (gone || !video.current) return closeCamera(opened);
                stream = opened;
                video.current.srcObject = opened;
                setSeveral(await hasSeveralCameras());
            },
            (error) => !gone && fail(error, clear),
        );
        return () => {
            gone = true;
            closeCamera(stream);
        };
    }, [facing, fail, clear]);

    const shoot = async () => {
        try {
            choose(await takePicture(video.current!), "camera.png");
        } catch (error) {
            fail(error, clear);
        }
    };
    return (
        <Screen title={words.camera.title} bar className="camera">
            <div className="stack">
                <p className="quiet">{words.camera.text}</p>
                <div className={`camera__view ${facing === "user" ? "camera__view--mirrored" : ""}`}>
                    <video
                        ref={video}
                        aria-label={words.camera.view}
                        autoPlay
                        playsInline
                        muted
                        onLoadedData={() => setReady(true)}
                    />
                </div>
                <p className="unseen" role="status">
                    {ready ? words.camera.view : words.camera.starting}
                </p>
            </div>
            <div className="foot">
                <div className="camera__bar">
                    <span />
                    <Button className="shutter" aria-label={words.camera.shutter} isDisabled={!ready} onPress={shoot} />
                    {several ? (
                        <Action
                            look="icon"
                            aria-label={words.camera.flip}
                            icon={<SwitchCamera aria-hidden />}
                            onPress={() => setFacing((now) => (now === "user" ? "environment" : "user"))}
                        />
                    ) : (
                        <span />
                    )}
                </div>
                <PhotoTrigger look="plain" label={words.home.choose} />
            </div>
        </Screen>
    );
}
