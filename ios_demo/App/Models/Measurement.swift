import BoothCore
import BoothEngine
import Foundation
import Observation

/// Milliseconds of one graph of one network on this device.
struct Measured: Identifiable, Equatable, Sendable {
    let precision: String
    let graph: String
    let units: ComputeUnits
    let load: Double
    let first: Double
    let steady: Latency
    let runs: Int
    let checkpointSha256: String

    var id: String { "\(precision) \(graph) \(units.rawValue)" }
}

/// Milliseconds of one graph over many runs.
struct Latency: Equatable, Sendable {
    let median, p10, p90: Double

    /// - Precondition: there is at least one.
    init(_ millis: [Double]) {
        let sorted = millis.sorted()
        func at(_ share: Double) -> Double { sorted[Int((share * Double(sorted.count - 1)).rounded())] }
        (median, p10, p90) = (at(0.5), at(0.1), at(0.9))
    }
}

/// Runs both graphs of the networks, and writes what `edgesr report --device-results` reads.
@MainActor @Observable final class MeasureModel {
    private(set) var busy: (graph: String, precision: Precision)?
    private(set) var problem: Problem?
    var units = ComputeUnits.all
    private let booth: Booth
    private let warmUp: Int
    private let runs: Int

    init(booth: Booth, warmUp: Int = 10, runs: Int = 50) {
        self.booth = booth
        self.warmUp = max(1, warmUp)
        self.runs = max(1, runs)
    }

    var rows: [Measured] { booth.measured }

    func measure() async {
        booth.measured = []
        problem = nil
        defer { busy = nil }
        do {
            for precision in booth.available {
                busy = ("encode", precision)
                // Loaded anew: what loading and the first run take is measured too.
                let engine = try await booth.pipeline.open(precision, units: units)
                let features = try await measure(engine, "encode") { exemplar, _ in try await engine.encode(exemplar: exemplar) }
                busy = ("restore", precision)
                _ = try await measure(engine, "restore") { _, lr in
                    let slots = engine.manifest.slots
                    let all = engine.manifest.slotted(Array(repeating: features, count: slots))
                    let restored = try await engine.restore(lr: lr, features: all, valid: [Float](repeating: 1, count: slots))
                    return Timed(value: restored.value.weights, millis: restored.millis, isFirst: restored.isFirst)
                }
            }
        } catch is CancellationError {
            return
        } catch {
            problem = Problem(error)
        }
    }

    private func measure<Value: Sendable>(
        _ engine: CoreMLEngine, _ graph: String, _ run: ([Float], [Float]) async throws -> Timed<Value>
    ) async throws -> Value {
        let manifest = engine.manifest
        let exemplar = noise(manifest.hrSize), lr = noise(manifest.lrSize)
        let first = try await run(exemplar, lr)
        for _ in 1..<warmUp { _ = try await run(exemplar, lr) }
        var millis: [Double] = []
        for _ in 0..<runs {
            try Task.checkCancellation()
            millis.append(try await run(exemplar, lr).millis)
        }
        booth.measured.append(
            Measured(
                precision: manifest.precision, graph: graph, units: engine.computeUnits, load: engine.loadMillis[graph] ?? 0,
                first: first.millis, steady: Latency(millis), runs: runs, checkpointSha256: manifest.checkpointSha256))
        return first.value
    }

    private func noise(_ side: Int) -> [Float] {
        var state: UInt32 = 7
        return (0..<side * side * 3).map { _ in
            state = state &* 1_664_525 &+ 1_013_904_223
            return Float(state >> 8) / Float(1 << 24)
        }
    }

    /// The JSON of all rows, as `docs/report.md` describes it.
    var json: Data {
        func rounded(_ value: Double) -> Json { .number((value * 1000).rounded(.toNearestOrEven) / 1000) }
        let results = rows.map { row -> Json in
            // Where Core ML may choose, nobody can tell what it chose.
            let unit: [Json.Member] = row.units == .cpuOnly ? [.init("unit", .string("cpu"))] : []
            return .object(
                [.init("runtime", .string("coreml"))] + unit + [
                    .init("precision", .string(row.precision)), .init("graph", .string(row.graph)),
                    .init("ms_median", rounded(row.steady.median)), .init("ms_p10", rounded(row.steady.p10)),
                    .init("ms_p90", rounded(row.steady.p90)), .init("runs", .whole(Int64(row.runs))),
                    .init("checkpoint_sha256", .string(row.checkpointSha256)),
                ])
        }
        let version = ProcessInfo.processInfo.operatingSystemVersion
        let fields: [Json.Member] = [
            .init("format", .string("edgesr-device-results")), .init("format_version", .whole(1)),
            .init("device", .string(Self.machine)),
            .init("os", .string("iOS \(version.majorVersion).\(version.minorVersion)")),
            .init("app", .string("edgesr booth \(AppVersion.text)")), .init("results", .list(results)),
        ]
        return Data((Json.object(fields).compact + "\n").utf8)
    }

    /// The machine's own name, as `iPhone17,1`.
    private static var machine: String {
        var info = utsname()
        guard uname(&info) == 0 else { return "unknown" }
        return withUnsafeBytes(of: &info.machine) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

enum AppVersion {
    static var text: String { Bundle.main.object(forInfoDictionaryKey: "CFBundleShortVersionString") as? String ?? "0" }
}
