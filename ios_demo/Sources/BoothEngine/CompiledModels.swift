import CoreML
import Foundation

/// Compiled packages, kept by the hash of what they were compiled from: Core ML compiles a package once a version.
public struct CompiledModels: Sendable {
    private let folder: URL

    /// `folder` may be emptied by anybody at any time: a caches folder.
    public init(folder: URL) { self.folder = folder }

    /// Both functions of a package, loaded for these compute units.
    ///
    /// - Throws: ``EngineError/refused(_:)`` where Core ML takes the package or a function for no model.
    func load(_ functions: [String], of package: URL, hash: String, computeUnits: MLComputeUnits) async throws -> sending [String: Loaded] {
        var compiled = try await url(of: package, hash: hash)
        do {
            return try await Self.load(functions, of: compiled, computeUnits)
        } catch {
            // A cache may be damaged, or of another system: once more from the package, whose hash is right.
            try? FileManager.default.removeItem(at: compiled)
            compiled = try await url(of: package, hash: hash)
        }
        do {
            return try await Self.load(functions, of: compiled, computeUnits)
        } catch {
            throw EngineError.refused("\(error)")
        }
    }

    private func url(of package: URL, hash: String) async throws -> URL {
        let kept = folder.appendingPathComponent("\(hash).mlmodelc")
        if FileManager.default.fileExists(atPath: kept.path) { return kept }
        let made: URL
        do {
            made = try await MLModel.compileModel(at: package)
        } catch {
            throw EngineError.refused("\(error)")
        }
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            try FileManager.default.moveItem(at: made, to: kept)
            return kept
        } catch {
            return made  // a full disk: it lies in a temporary place, and does for now
        }
    }

    private static func load(_ functions: [String], of compiled: URL, _ units: MLComputeUnits) async throws -> sending [String: Loaded] {
        var models: [String: Loaded] = [:]
        for function in functions {
            let configuration = MLModelConfiguration()
            configuration.computeUnits = units
            configuration.functionName = function
            let start = ContinuousClock.now
            let model = try await MLModel.load(contentsOf: compiled, configuration: configuration)
            models[function] = Loaded(model: model, millis: start.duration(to: .now).millis)
        }
        return models
    }
}

/// One function of a package, loaded once, and what loading it took.
final class Loaded {
    let model: MLModel
    let millis: Double
    private var runs = 0

    init(model: MLModel, millis: Double) {
        self.model = model
        self.millis = millis
    }

    /// Named outputs from named inputs, as Core ML gives them.
    func predict(_ inputs: [String: MLMultiArray]) throws -> Outputs {
        do {
            let provider = try MLDictionaryFeatureProvider(dictionary: inputs.mapValues { MLFeatureValue(multiArray: $0) })
            let outputs = Outputs(features: try model.prediction(from: provider), isFirst: runs == 0)
            runs += 1
            return outputs
        } catch let error as EngineError {
            throw error
        } catch {
            throw EngineError.refused("\(error)")
        }
    }

    struct Outputs {
        let features: any MLFeatureProvider
        let isFirst: Bool

        /// Row-major values of an output of so many.
        func values(_ name: String, count: Int) throws -> [Float] {
            guard let array = features.featureValue(for: name)?.multiArrayValue else {
                throw EngineError.refused("the model gives no \(name)")
            }
            let values = array.contiguous()
            guard values.count == count else { throw EngineError.refused("\(name) has \(values.count) values, not \(count)") }
            return values
        }
    }
}

extension Duration {
    var millis: Double { Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15 }
}
