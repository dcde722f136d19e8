import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

export const ROOT = resolve(import.meta.dirname, "../..");

export const PYTHON = process.env.EDGESR_PYTHON ?? resolve(ROOT, "../.venv/bin/python");

/** Serves a bundle's folder as it is, as a static host does. */
const STATIC_HOST = `
import sys
from pathlib import Path
from edgesr.booth.server import FolderServer, listed
server = FolderServer(listed(Path(sys.argv[1])), int(sys.argv[2]))
print(server.address, flush=True)
server.serve_forever()
`;

/** `edgesr booth`, as a user starts it, or a static host. */
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
        return Server.run(command);
    }

    /** A bundle on a static host: there its own page is what runs. */
    static async host(port: number, bundle: string): Promise<Server> {
        return Server.run(["-c", STATIC_HOST, bundle, String(port)]);
    }

    private static async run(command: string[]): Promise<Server> {
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

/** A copy of the bundle with another build id and one more word on its page: the next version, so to say. */
export function nextBundle(): string {
    const folder = mkdtempSync(join(tmpdir(), "edgesr-booth-"));
    cpSync(bundleFolder(), folder, { recursive: true });
    const change = (name: string, edit: (text: string) => string) => {
        const path = join(folder, name);
        writeFileSync(path, edit(readFileSync(path, "utf8")));
        return createHash("sha256").update(readFileSync(path)).digest("hex");
    };
    const sha256 = {
        "index.html": change("index.html", (text) => text.replace("<body>", '<body data-version="next">')),
        "booth.json": change("booth.json", (text) =>
            text.replace(/"build_id": "[0-9a-f]{16}"/, '"build_id": "0123456789abcdef"'),
        ),
    };
    change("manifest.json", (text) => {
        const manifest = JSON.parse(text);
        Object.assign(manifest.sha256, sha256);
        return JSON.stringify(manifest);
    });
    return folder;
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
