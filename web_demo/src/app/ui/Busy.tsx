import { Label, ProgressBar } from "react-aria-components";

/** What is being done, and how far it is; a share of -1 says that nobody knows. */
export function Busy({ label, share }: { label: string; share: number }) {
    const known = share >= 0;
    return (
        <ProgressBar className="stack busy progress" {...(known ? { value: share * 100 } : { isIndeterminate: true })}>
            {({ percentage }) => (
                <>
                    <Label className="quiet">{label}</Label>
                    <div className="progress progress__track">
                        <div
                            className={`progress__fill ${known ? "" : "progress__fill--unknown"}`}
                            style={known ? { width: `${percentage}%` } : undefined}
                        />
                    </div>
                </>
            )}
        </ProgressBar>
    );
}
