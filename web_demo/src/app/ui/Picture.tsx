import type { Picture } from "edgesr-web/booth";
import { type CanvasHTMLAttributes, useLayoutEffect, useRef } from "react";

interface Props extends CanvasHTMLAttributes<HTMLCanvasElement> {
    picture: Picture | ImageBitmap;
    /** What it shows, for those who do not see it; empty where words beside it say it. */
    label: string;
}

/** Pixels on the page: no address, no file, nothing that outlives the screen. */
export function PictureView({ picture, label, ...rest }: Props) {
    const canvas = useRef<HTMLCanvasElement>(null);
    useLayoutEffect(() => {
        const context = canvas.current?.getContext("2d");
        if (!context) return;
        if (picture instanceof ImageBitmap) context.drawImage(picture, 0, 0);
        else context.putImageData(new ImageData(picture.rgba, picture.width, picture.height), 0, 0);
    }, [picture]);
    const told = label ? { role: "img", "aria-label": label } : { "aria-hidden": true };
    return <canvas {...rest} {...told} ref={canvas} width={picture.width} height={picture.height} />;
}
