import BoothCore
import BoothEngine
import Foundation
import Observation

/// Where a screen leads.
enum Route: Hashable, Sendable { case gallery, camera, result, measure, golden }

/// What all screens share: consent, the network that runs, how many photos are remembered, and where one is.
@MainActor @Observable final class Booth {
    enum Remembered: Equatable { case unknown, count(Int), problem(Problem) }

    let pipeline: Pipeline
    var path: [Route] = []
    private(set) var remembered = Remembered.unknown
    /// What stands in the way of a photo that was just picked.
    var problem: Problem?
    /// What was measured since the app started.
    var measured: [Measured] = []
    /// Increases with every photo that is taken: the result's screen starts anew.
    private(set) var photos = 0

    var consented: Bool { didSet { settings.set(consented, forKey: "consented") } }
    var precision: Precision { didSet { settings.set(precision.rawValue, forKey: "precision") } }
    private let settings: UserDefaults

    init(pipeline: Pipeline, settings: UserDefaults) {
        self.pipeline = pipeline
        self.settings = settings
        consented = settings.bool(forKey: "consented")
        let kept = settings.string(forKey: "precision").flatMap(Precision.init)
        let available = pipeline.available
        precision = kept.flatMap { available.contains($0) ? $0 : nil } ?? available.first ?? .float
    }

    /// With the app's own storage and the models in its bundle.
    static func shipped() -> Booth {
        let models = (Bundle.main.resourceURL ?? Bundle.main.bundleURL).appendingPathComponent("Models")
        return Booth(pipeline: Pipeline(storage: .shipped(), models: models), settings: .standard)
    }

    var available: [Precision] { pipeline.available }

    /// Counts what is remembered; the gallery's own screen says what is wrong with it, if anything is.
    func refresh() async {
        let file = pipeline.storage.gallery
        do {
            remembered = .count(try await background { try file.read()?.entries.count ?? 0 })
        } catch {
            remembered = .problem(Problem(error))
        }
    }

    /// Takes a photo to restore and leads to its result.
    func take(_ content: Data) async {
        let storage = pipeline.storage
        do {
            guard content.count <= PhotoCoder.mostBytes else { throw Problem.tooLarge }
            try await background { try storage.take(content) }
            problem = nil
            photos += 1
            path = [.result]
        } catch {
            problem = Problem(error)
        }
    }

    func wipe() async throws {
        try await pipeline.wipe()
        await refresh()
    }
}
