import BoothCore
import Foundation

/// A bundle's golden vectors: inputs, and what the converted program gives for them by its own meaning.
public struct Golden: Sendable {
    private let arrays: [String: [Float]]
    /// Least decibels that the conversion's parity gate asked of `sr`, `weights` and `features`.
    public let least: [String: Double]

    init(arrays: [String: [Float]], least: [String: Double]) {
        self.arrays = arrays
        self.least = least
    }

    /// PSNR in decibels of each output of `engine`, by the largest value expected; 100 where all are equal.
    ///
    /// - Throws: ``EngineError``.
    public func decibels(of engine: any Engine) async throws -> [(output: String, decibels: Double)] {
        let kept = engine.manifest.kept
        let features = try await engine.encode(exemplar: try array("encode.in.exemplar")).value
        let restored = try await engine.restore(
            lr: try array("restore.in.lr"), features: try kept.map { try array("restore.in.\($0)") },
            valid: try array("restore.in.valid")
        ).value
        return try zip(kept, features).map { name, values in (name, Self.psnr(values, try array("encode.out.\(name)"))) } + [
            ("sr", Self.psnr(restored.face, try array("restore.out.sr"), peak: 1)),
            ("weights", Self.psnr(restored.weights, try array("restore.out.weights"), peak: 1)),
        ]
    }

    private func array(_ name: String) throws -> [Float] {
        guard let found = arrays[name] else { throw EngineError.damaged("golden.safetensors has no \(name)") }
        return found
    }

    static func psnr(_ got: [Float], _ wanted: [Float], peak: Double? = nil) -> Double {
        guard got.count == wanted.count, !wanted.isEmpty else { return 0 }
        let most = max(peak ?? Double(wanted.map(\.magnitude).max() ?? 1), 1e-12)
        let error = zip(got, wanted).reduce(0.0) { $0 + pow((Double($1.0) - Double($1.1)) / most, 2) } / Double(wanted.count)
        if error.isNaN { return 0 }
        return error == 0 ? 100 : min(100, -10 * log10(error))
    }
}

extension ModelFolder {
    /// - Throws: ``EngineError`` where they are missing or damaged.
    public func golden() throws -> Golden {
        let name = "golden.safetensors"
        let content = try read(name)
        guard try manifest().sha256[name] == sha256(of: content) else {
            throw EngineError.damaged("\(name) is not the file that was converted")
        }
        let arrays: [String: [Float]]
        do {
            arrays = try Safetensors(content).arrays
        } catch {
            throw EngineError.damaged("\(name) cannot be read")
        }
        let checks = (try? Json.parse(try read("manifest.json")))?["parity"]?["checks"]?.items ?? []
        var least: [String: Double] = [:]
        for check in checks {
            guard let said = check["name"]?.text, said.hasSuffix("PSNR dB"), let threshold = check["threshold"]?.double,
                let output = said.split(separator: ":").first
            else { continue }
            least[String(output)] = threshold
        }
        return Golden(arrays: arrays, least: least)
    }
}
