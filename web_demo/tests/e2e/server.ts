import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";

export const ROOT = resolve(import.meta.dirname, "../..");

export const PYTHON = process.env.EDGESR_PYTHON ?? resolve(ROOT, "../.venv/bin/python");

/** `edgesr booth`, as a user starts it. */
export class Server {
    private constructor(
        private readonly child: ChildProcess,
        readonly address: string,
    ) {}

    /** `port` 0 takes a free one; a browser knows a page by its port. */
    static async start(port = 0, bundle = bundleFolder()): Promise<Server> {
        const command = [
            "-c",
            "from edgesr.cli.main import main; main()",
            "booth",
            "--no-browser",
            "--port",
            String(port),
            "--bundle",
            bundle,
        ];
        const child = spawn(PYTHON, command, { stdio: ["ignore", "pipe", "pipe"] });
        const said: string[] = [];
        child.stderr.on("data", (data) => said.push(String(data)));
        const lines = createInterface({ input: child.stdout });
        const first = await new Promise<string>((answer, refuse) => {
            lines.once("line", answer);
            child.once("exit", (code) => refuse(new Error(`edgesr booth ended with ${code}: ${said.join("")}`)));
        });
        return new Server(child, first.trim());
    }

    get port(): number {
        return Number(new URL(this.address).port);
    }

    async stop(): Promise<void> {
        if (this.child.exitCode !== null) return;
        const gone = new Promise((done) => this.child.once("exit", done));
        this.child.kill("SIGTERM");
        await gone;
    }
}

/** A bundle of `edgesr convert --target web`; .ci/run makes one. */
export function bundleFolder(): string {
    const folder = process.env.EDGESR_BOOTH_BUNDLE ?? resolve(ROOT, "testdata/booth");
    if (!existsSync(resolve(folder, "booth.json"))) {
        throw new Error(
            `no web bundle in ${folder}: edgesr convert --target web -o ${folder}, or set EDGESR_BOOTH_BUNDLE`,
        );
    }
    return folder;
}
