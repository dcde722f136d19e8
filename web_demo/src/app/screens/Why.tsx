import type { Outcome } from "edgesr-web/booth";
import { PictureView } from "../ui/Picture";
import { words } from "../words";

/** Which of the photos to learn from counted where in the face. */
export function Why({ outcome }: { outcome: Outcome }) {
    return (
        <div className="stack">
            <h2>{words.result.whyTitle}</h2>
            {outcome.heatmaps.length === 0 ? (
                <p className="quiet">{words.result.whyEmpty}</p>
            ) : (
                <>
                    <p className="quiet">{words.result.whyText}</p>
                    <ul className="maps">
                        {outcome.heatmaps.map(({ exemplar, share, picture }) => (
                            <li key={exemplar} className="stack stack--tight">
                                <PictureView
                                    picture={picture}
                                    label={words.result.heatmap(exemplar + 1, Math.round(share * 100))}
                                />
                                <span className="caption" aria-hidden>
                                    {words.result.counted(exemplar + 1, Math.round(share * 100))}
                                </span>
                            </li>
                        ))}
                    </ul>
                    <div className="scale" aria-hidden>
                        <span>0 %</span>
                        <span className="scale__bar" />
                        <span>100 %</span>
                    </div>
                </>
            )}
        </div>
    );
}
