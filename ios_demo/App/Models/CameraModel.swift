import Foundation
import Observation

/// The camera's screen: whether it runs, and what stands in the way.
@MainActor @Observable final class CameraModel {
    enum Phase: Equatable { case starting, running, taking, problem(Problem) }

    private(set) var phase = Phase.starting
    private(set) var canFlip = false
    let camera: Camera

    init(camera: Camera) { self.camera = camera }

    func start() async {
        phase = .starting
        do {
            try await camera.start()
            canFlip = await camera.canFlip
            phase = .running
        } catch {
            phase = .problem(Problem(error))
        }
    }

    func stop() async { await camera.stop() }

    func flip() async {
        do {
            try await camera.flip()
        } catch {
            phase = .problem(Problem(error))
        }
    }

    /// The photo, or nil where there was none; the screen says why.
    func shoot() async -> Data? {
        guard phase == .running else { return nil }
        phase = .taking
        do {
            let photo = try await camera.photo()
            phase = .running
            return photo
        } catch {
            phase = .problem(Problem(error))
            return nil
        }
    }
}
