/** Milliseconds of the last runs of one graph on one provider. */
export class Latency {
    private readonly last: number[] = [];
    private warm = false;

    constructor(private readonly most = 9) {}

    /** The first run after a network is opened lays out its memory: it counts only until there is a second one. */
    add(millis: number): void {
        if (!this.warm && this.last.length > 0) {
            this.last.length = 0;
            this.warm = true;
        }
        this.last.push(millis);
        if (this.last.length > this.most) this.last.shift();
    }

    get runs(): number {
        return this.last.length;
    }

    get median(): number {
        return quantile(this.last, 0.5);
    }
}

/** Of unsorted numbers, by the nearest one; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
    const sorted = [...values].sort((a, b) => a - b);
    return sorted[Math.round(share * (sorted.length - 1))] ?? Number.NaN;
}
