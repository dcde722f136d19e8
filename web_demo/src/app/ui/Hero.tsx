/** The left half of the drawing below, averaged over cells of 40 x 40: six to a row. */
const COARSE = `
f3b98e f3b98e f3b98e f3b98e f3b98e f3b98e
f3b98e f3b98e f3b98e f3b98e d6a17b 966e53
f3b98e f3b98e f3b98e b78868 3e271b 3a2318
f3b98e f3b98e e5ad85 442b1e 583826 8e5d40
f3b98e f3b98e a77b5e 5b3a28 c7845b d08b60
f3b98e f3b98e 88624a 85563c bc8563 cc8d67
f3b98e f3b98e 8c664d 84563b d3895f cf895e
f3b98e f3b98e b48666 5f3c29 d3885e d0885e
f3b98e f3b98e eeb58b 543829 9e6848 c98059
f3b98e f3b98e f3b98e d19e7a 443025 bc764f
f3b98e f3b98e b19a7f 446767 2f5c60 59635a
f3b98e b49b80 305d62 2f5d62 2f5d62 2f5d62`
    .trim()
    .split(/\s+/);
const CELL = 40;

/** The booth in one picture: a drawn face, coarse on one side of a line and clear on the other. */
export function Hero({ label }: { label: string }) {
    return (
        <svg className="hero" viewBox="0 0 480 480" role="img" aria-label={label}>
            <clipPath id="hero-circle">
                <circle cx="240" cy="240" r="240" />
            </clipPath>
            <g clipPath="url(#hero-circle)">
                <rect width="480" height="480" fill="#f3b98e" />
                <ellipse cx="240" cy="516" rx="192" ry="132" fill="#2f5d62" />
                <ellipse cx="240" cy="235.2" rx="144" ry="177.6" fill="#3a2318" />
                <path fill="#b9714a" d="M201.6 316.8h76.8v96h-76.8z" />
                <ellipse cx="240" cy="240" rx="100.8" ry="134.4" fill="#d58e62" />
                <path
                    fill="#3a2318"
                    d="M129.600 211.200C120 48 360 48 350.400 211.200C316.800 144 249.600 129.600 211.200 139.200C172.800 148.800 148.800 172.800 129.600 211.200Z"
                />
                <g fill="#fff6ee">
                    <ellipse cx="194.400" cy="229.200" rx="17.280" ry="10.800" />
                    <ellipse cx="285.600" cy="229.200" rx="17.280" ry="10.800" />
                </g>
                <g fill="#40261a">
                    <circle cx="194.400" cy="229.440" r="10.080" />
                    <circle cx="285.600" cy="229.440" r="10.080" />
                </g>
                <g fill="#fff">
                    <circle cx="197.280" cy="226.080" r="2.880" />
                    <circle cx="288.480" cy="226.080" r="2.880" />
                </g>
                <g fill="none" stroke="#3a2318" strokeWidth="5.760" strokeLinecap="round">
                    <path d="M171.800 206.300a24 14.400 0 0 1 45.100 0M263 206.300a24 14.400 0 0 1 45.100 0" />
                </g>
                <g fill="#c0392b" fillOpacity={0.2}>
                    <circle cx="172.800" cy="280.800" r="19.200" />
                    <circle cx="307.200" cy="280.800" r="19.200" />
                </g>
                <path
                    fill="none"
                    stroke="#ae6a43"
                    strokeWidth="5.760"
                    strokeLinecap="round"
                    d="M242.400 230.400Q228 273.600 240 277.440"
                />
                <path
                    fill="none"
                    stroke="#8e3b2e"
                    strokeWidth="9.600"
                    strokeLinecap="round"
                    d="M272.600 313.600a36 26.400 0 0 1-65.200 0"
                />
                <g className="hero__coarse">
                    {COARSE.map((colour, i) => (
                        <rect
                            key={i}
                            x={(i % 6) * CELL}
                            y={Math.floor(i / 6) * CELL}
                            width={CELL + 0.5}
                            height={CELL + 0.5}
                            fill={`#${colour}`}
                        />
                    ))}
                </g>
                <rect className="hero__line" x="236" width="8" height="480" fill="#fff" />
            </g>
        </svg>
    );
}
